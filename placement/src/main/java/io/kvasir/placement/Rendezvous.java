package io.kvasir.placement;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Weighted rendezvous hashing: every node computes the same homes of a group from the member list
 * alone. A member scores {@code -weight / ln(h)}, where {@code h} in (0, 1) is a hash of group and
 * member; the best scores win. A member that leaves moves its own groups only, a changed weight
 * moves the difference only, and each member's share is its weight's.
 *
 * <p>Copies spread over zones: each goes to the best member of the zones that hold the fewest
 * copies so far, so no two copies share a zone while another zone is free.
 *
 * <p>Sources: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (IEEE/ACM
 * Transactions on Networking 6(1), 1998); Schindelhauer and Schomaker, "Weighted distributed hash
 * tables" (SPAA 2005) for the logarithmic method. The mixer is David Stafford's variant 13 of the
 * MurmurHash3 finaliser, as in {@link java.util.SplittableRandom}.
 *
 * <p>Immutable and thread-safe; made once per member list.
 */
public final class Rendezvous {
  private static final long GOLDEN_GAMMA = 0x9E37_79B9_7F4A_7C15L;

  /** 52 random bits and a half: exact in a double, above 0 and below 1 at both ends. */
  private static final double UNIT_52 = 0x1.0p-52;

  private final Member[] members;
  private final long[] memberHashes;
  private final int[] zones;
  private final int zoneCount;

  /**
   * Takes a member list; its order has no influence on any choice.
   *
   * @throws IllegalArgumentException if two members have the same node id
   */
  public Rendezvous(List<Member> members) {
    // Sorted by id, a strict comparison of scores gives a tie to the lower id, whatever the input's
    // order.
    this.members =
        members.stream().sorted(Comparator.comparingLong(Member::nodeId)).toArray(Member[]::new);
    this.memberHashes = new long[this.members.length];
    this.zones = new int[this.members.length];
    Map<String, Integer> zoneNumbers = new HashMap<>();
    for (int i = 0; i < this.members.length; i++) {
      Member member = this.members[i];
      if (i > 0 && this.members[i - 1].nodeId() == member.nodeId()) {
        throw new IllegalArgumentException(
            "KVA-0811 member list refused - nodeId="
                + Long.toHexString(member.nodeId())
                + " (limit=1 each); name every node once");
      }
      memberHashes[i] = mix(member.nodeId() + GOLDEN_GAMMA);
      zones[i] = zoneNumbers.computeIfAbsent(member.zone(), _ -> zoneNumbers.size());
    }
    this.zoneCount = zoneNumbers.size();
  }

  /**
   * Chooses the homes of a group, best first.
   *
   * @param copies how many, at least 1
   * @return {@code copies} different members, or all of them if there are fewer
   * @throws IllegalArgumentException if {@code copies} is below 1
   */
  public List<Member> choose(long group, int copies) {
    if (copies < 1) {
      throw new IllegalArgumentException(
          "KVA-0812 homes not chosen - copies=" + copies + " (limit=1); ask for at least one");
    }
    double[] scores = new double[members.length];
    for (int i = 0; i < members.length; i++) {
      // StrictMath: nodes on different processors must agree to the last bit.
      scores[i] = -members[i].weight() / StrictMath.log(unit(hash(group, memberHashes[i])));
    }
    int[] copiesInZone = new int[zoneCount];
    boolean[] chosen = new boolean[members.length];
    int count = Math.min(copies, members.length);
    List<Member> homes = new ArrayList<>(count);
    while (homes.size() < count) {
      int best = -1;
      for (int i = 0; i < members.length; i++) {
        if (!chosen[i] && (best < 0 || isBetter(i, best, scores, copiesInZone))) {
          best = i;
        }
      }
      chosen[best] = true;
      copiesInZone[zones[best]]++;
      homes.add(members[best]);
    }
    return homes;
  }

  private boolean isBetter(int candidate, int best, double[] scores, int[] copiesInZone) {
    int candidateCopies = copiesInZone[zones[candidate]];
    int bestCopies = copiesInZone[zones[best]];
    return candidateCopies != bestCopies
        ? candidateCopies < bestCopies
        : scores[candidate] > scores[best];
  }

  /** Maps 64 random bits to the open interval (0, 1). */
  static double unit(long bits) {
    return ((bits >>> 12) + 0.5) * UNIT_52;
  }

  /**
   * Two rounds: groups that differ in one bit, and ids that count up, still give unrelated bits.
   */
  private static long hash(long group, long memberHash) {
    return mix(mix(group ^ memberHash) + memberHash);
  }

  private static long mix(long bits) {
    long mixed = (bits ^ (bits >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D0_49BB_1331_11EBL;
    return mixed ^ (mixed >>> 31);
  }
}
