package io.kvasir.node.peer;

import io.kvasir.node.peer.NeighbourMessage.Ask;
import io.kvasir.node.peer.NeighbourMessage.Borrow;
import io.kvasir.node.peer.NeighbourMessage.Done;
import io.kvasir.node.peer.NeighbourMessage.Lent;
import io.kvasir.node.peer.NeighbourMessage.Offer;
import io.kvasir.node.peer.NeighbourMessage.Proof;
import io.kvasir.node.peer.NeighbourMessage.Proven;
import io.kvasir.node.peer.NeighbourMessage.Refused;
import io.kvasir.node.store.SlabShare;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.agrona.collections.Long2ObjectHashMap;

/**
 * The owner's side of one neighbour, as long as their session lasts: shows it where this slab is,
 * lets it prove that it sees it, and then pins what it wants to read. Node agent only.
 *
 * <pre>
 *   NOBODY --Ask, cell filled, Offer--&gt; SHOWN --right Proof, Proven--&gt; LENDS --session over--&gt; NOBODY, cell void
 *                                          \--wrong Proof--&gt; NOBODY, cell void
 * </pre>
 */
final class Lending {
  private static final int LOANS_MAX = 64;
  private static final int NO_CELL = -1;

  /** What the sides of all neighbours share. */
  record Office(Store store, ServeCoordinator serves, BitSet cells) {}

  private final long peerNodeId;
  private final int bytesMax;
  private final Office office;
  private final Consumer<NeighbourMessage> send;
  private final Long2ObjectHashMap<Loan> loans = new Long2ObjectHashMap<>();
  private final Set<Loan> answered = new LinkedHashSet<>();
  private int cell = NO_CELL;
  private long nonce;
  private long proof;
  private boolean isProven;

  /**
   * @param bytesMax of a remark of this node
   */
  Lending(
      final long peerNodeId,
      final int bytesMax,
      final Office office,
      final Consumer<NeighbourMessage> send) {
    this.peerNodeId = peerNodeId;
    this.bytesMax = bytesMax;
    this.office = office;
    this.send = send;
  }

  long peerNodeId() {
    return peerNodeId;
  }

  /** The neighbour wants to see this slab. */
  void asked(final Ask ask, final long newProof) {
    end();
    final int free = office.cells.nextClearBit(0);
    final SlabShare own = office.store.share();
    if (free >= SlabShare.CELLS
        || own.uid() != ask.uid()
        || !own.hostProof(ask.nonce(), peerNodeId).equals(ask.hostProof())
        || !NeighbourMessage.canOffer(own)) {
      return;
    }
    office.cells.set(free);
    cell = free;
    nonce = ask.nonce();
    proof = newProof;
    office.store.cell(cell, nonce, proof);
    send.accept(new Offer(nonce, cell, own));
  }

  /** The neighbour says what it sees; false if that is wrong. */
  boolean proven(final Proof seen) {
    if (cell == NO_CELL || seen.nonce() != nonce) {
      return true; // of an earlier session
    }
    if (seen.proof() != proof) {
      end();
      return false;
    }
    isProven = true;
    send.accept(new Proven(nonce));
    return true;
  }

  /** Pins what the neighbour wants; false if it may not ask so. */
  boolean borrow(final Borrow asked) {
    if (!isProven) {
      return true; // of an earlier session, or never proven: no answer is enough
    }
    if (loans.containsKey(asked.id()) || asked.chunks().isEmpty()) {
      return false;
    }
    final Loan loan = new Loan(this, asked);
    if (loans.size() == LOANS_MAX) {
      for (int chunk = 0; chunk < loan.size(); chunk++) {
        loan.refused(chunk, PullFailure.OVERLOADED);
      }
      return true;
    }
    loans.put(loan.id(), loan);
    office.serves.lend(loan);
    return true;
  }

  /** The neighbour no longer reads these. */
  void returned(final List<Done> chunks) {
    for (final Done done : chunks) {
      final Loan loan = loans.get(done.id());
      if (loan != null && done.chunk() < loan.size()) {
        loan.returned(done.chunk());
        forgetIfOver(loan);
      }
    }
  }

  /** Sends what was found or refused. */
  int flush() {
    final int work = answered.size();
    for (final Loan loan : answered) {
      inParts(
          loan.takePlaces(),
          NeighbourMessage.PLACE_BYTES,
          places -> send.accept(new Lent(loan.id(), places)));
      inParts(
          loan.takeRefusals(),
          NeighbourMessage.REFUSAL_BYTES,
          refusals -> send.accept(new Refused(loan.id(), refusals)));
      forgetIfOver(loan);
    }
    answered.clear();
    return work;
  }

  /** The neighbour's remarks, and so what it asks for at once, may be longer than this node's. */
  private <T> void inParts(
      final List<T> all, final int entryBytes, final Consumer<List<T>> sendPart) {
    final int max = (bytesMax - NeighbourMessage.ANSWER_BYTES) / entryBytes;
    for (int from = 0; from < all.size(); from += max) {
      sendPart.accept(all.subList(from, Math.min(all.size(), from + max)));
    }
  }

  private void forgetIfOver(final Loan loan) {
    if (loan.isOver()) {
      loans.remove(loan.id(), loan);
    }
  }

  /** Voids the cell, then takes back what was lent. */
  void end() {
    if (cell == NO_CELL) {
      return;
    }
    office.store.cell(cell, 0, 0);
    office.cells.clear(cell);
    cell = NO_CELL;
    isProven = false;
    new ArrayList<>(loans.values()).forEach(Loan::end);
    loans.clear();
    answered.clear();
  }

  void answered(final Loan loan) {
    answered.add(loan);
  }

  void finished(final Loan loan, final int chunk) {
    office.serves.finished(loan, chunk);
  }

  /** Where the chunk lies that has just been found and pinned. */
  long slabOffset(final ChunkKey key) {
    return office.store.slabOffset(office.store.find(key));
  }
}
