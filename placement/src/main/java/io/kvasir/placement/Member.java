package io.kvasir.placement;

/**
 * A node as placement sees it. Immutable.
 *
 * @param nodeId stable over restarts and address changes, so that a node keeps its groups
 * @param weight share of the groups relative to other members, usually the capacity; finite, above
 *     0
 * @param zone failure domain; members without zones all carry the same text
 */
public record Member(long nodeId, double weight, String zone) {
  /**
   * Checks the weight.
   *
   * @throws IllegalArgumentException if the weight is not a finite number above 0
   */
  public Member {
    if (!(weight > 0) || Double.isInfinite(weight)) {
      throw new IllegalArgumentException(
          "KVA-0810 member refused - nodeId="
              + Long.toHexString(nodeId)
              + " weight="
              + weight
              + " (limit=above 0, finite); leave out a member that shall get nothing");
    }
  }
}
