package io.kvasir.node.store;

/** Event counts since the store was opened; written by the node agent only. */
final class StoreCounters {
  long commits;
  long pulledCommits;
  long corruptChunks;
  long verified;
  long evictions;
  long neighbourEvictions;
  long drops;
  long staleEpochs;
  long refusedNoSpace;
  long refusedOverShare;
  long refusedTooLarge;
  long adoptedChunks;
  long vanishedReservations;
  long quarantinedAtOpen;
  long damagedRecords;
  long directoryRepairs;
}
