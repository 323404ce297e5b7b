package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.SliceStatus;
import java.util.List;

/**
 * The outcome of {@link KvasirClient#commitSlices}.
 *
 * @param receivers nodes that still wait for slices; with none, handing off more is in vain
 * @param slices one outcome per slice, in order
 */
public record SliceResults(int receivers, List<Slice> slices) {
  public SliceResults {
    slices = List.copyOf(slices);
  }

  /**
   * The outcome for one slice.
   *
   * @param version of the chunk if this slice completed it, else 0
   */
  public record Slice(int slot, SliceStatus status, long version) {}
}
