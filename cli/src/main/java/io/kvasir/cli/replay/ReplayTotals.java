package io.kvasir.cli.replay;

/** Running sums of a replay. One thread. */
final class ReplayTotals {
  int requests;
  long blocks;
  long hitBlocks;
  long inputTokens;
  long hitTokens;
  long localHits;
  long verifiedBytes;
  long wrongBytes;
  long blocksNotStored;
  long longestRequestNs;

  void add(Trace.Request request, TraceEngine.Loaded loaded, long loadedBytes) {
    requests++;
    blocks += request.blockIds().length;
    hitBlocks += loaded.blocks();
    inputTokens += request.inputTokens();
    hitTokens += request.tokensIn(loaded.blocks());
    localHits += loaded.localBlocks();
    wrongBytes += loaded.wrongBytes();
    verifiedBytes += loadedBytes - loaded.wrongBytes();
  }

  double hitRate() {
    return blocks == 0 ? 0 : (double) hitBlocks / blocks;
  }

  double tokenHitRate() {
    return inputTokens == 0 ? 0 : (double) hitTokens / inputTokens;
  }
}
