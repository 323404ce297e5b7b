package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RendezvousTest {
  private long seed;
  private Random random = new Random(0);

  @BeforeEach
  void printSeed() {
    seed = System.nanoTime();
    random = new Random(seed);
    System.out.println("RendezvousTest seed=" + seed);
  }

  @Test
  void shouldMatchGoldenVectorsWhenChoosing() {
    // Fixed for ever: nodes of different versions must agree on homes.
    Rendezvous rendezvous =
        new Rendezvous(
            List.of(
                new Member(1, 1.0, "a"),
                new Member(2, 2.0, "a"),
                new Member(3, 1.0, "b"),
                new Member(0x8000_0000_0000_0000L, 0.5, "c")));

    List<List<Long>> homes = new ArrayList<>();
    for (long group : new long[] {0, 1, -1, 0x0123_4567_89AB_CDEFL}) {
      homes.add(ids(rendezvous.choose(group, 3)));
    }

    assertEquals(
        "[[1, -9223372036854775808, 3], [2, -9223372036854775808, 3], [2, -9223372036854775808, 3],"
            + " [3, 2, -9223372036854775808]]",
        homes.toString());
  }

  @Test
  void shouldLoadByWeightWhenGroupsAreMany() {
    List<Member> members = new ArrayList<>();
    double[] weights = {1, 1, 2, 3, 0.5, 4, 1.5, 2};
    for (int i = 0; i < weights.length; i++) {
      members.add(new Member(random.nextLong(), weights[i], "zone"));
    }
    assertLoadWithin3Percent(members, false);
  }

  @Test
  void shouldLoadByWeightWhenIdsAndGroupsCountUp() {
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      members.add(new Member(i, 1, "zone"));
    }
    assertLoadWithin3Percent(members, true);
  }

  private void assertLoadWithin3Percent(List<Member> members, boolean groupsCountUp) {
    Rendezvous rendezvous = new Rendezvous(members);
    Map<Long, Integer> load = new HashMap<>();
    int groups = 1_000_000;
    for (int i = 0; i < groups; i++) {
      long group = groupsCountUp ? i : random.nextLong();
      load.merge(rendezvous.choose(group, 1).getFirst().nodeId(), 1, Integer::sum);
    }
    double weightSum = members.stream().mapToDouble(Member::weight).sum();
    for (Member member : members) {
      double expected = groups * member.weight() / weightSum;
      double actual = load.getOrDefault(member.nodeId(), 0);
      assertEquals(expected, actual, 0.03 * expected, "seed=" + seed + " " + member);
    }
  }

  @Test
  void shouldMoveOnlyItsGroupsWhenMemberLeaves() {
    for (int round = 0; round < 20; round++) {
      List<Member> before = randomMembers(2 + random.nextInt(20), 1 + random.nextInt(6));
      Member gone = before.get(random.nextInt(before.size()));
      List<Member> after = new ArrayList<>(before);
      after.remove(gone);
      int copies = 1 + random.nextInt(5);
      Rendezvous old = new Rendezvous(before);
      Rendezvous now = new Rendezvous(after);
      for (int i = 0; i < 2_000; i++) {
        long group = random.nextLong();
        List<Member> oldHomes = old.choose(group, copies);
        List<Member> newHomes = now.choose(group, copies);
        String where = "seed=" + seed + " round=" + round + " group=" + group;
        if (oldHomes.contains(gone)) {
          List<Member> kept = new ArrayList<>(oldHomes);
          kept.remove(gone);
          assertTrue(newHomes.containsAll(kept), where);
        } else {
          assertEquals(oldHomes, newHomes, where);
        }
      }
    }
  }

  @Test
  void shouldMoveGroupsOnlyToMemberWhenItsWeightGrows() {
    List<Member> before = randomMembers(10, 1);
    Member grown = before.getFirst();
    List<Member> after = new ArrayList<>(before);
    after.set(0, new Member(grown.nodeId(), grown.weight() * 1.5, grown.zone()));
    Rendezvous old = new Rendezvous(before);
    Rendezvous now = new Rendezvous(after);
    int moved = 0;
    for (int i = 0; i < 20_000; i++) {
      long group = random.nextLong();
      long oldHome = old.choose(group, 1).getFirst().nodeId();
      long newHome = now.choose(group, 1).getFirst().nodeId();
      if (oldHome != newHome) {
        moved++;
        assertEquals(grown.nodeId(), newHome, "seed=" + seed);
      }
    }
    assertTrue(moved > 0, "seed=" + seed);
  }

  @Test
  void shouldSpreadOverZonesWhenOneIsFree() {
    for (int round = 0; round < 200; round++) {
      List<Member> members = randomMembers(1 + random.nextInt(20), 1 + random.nextInt(6));
      Rendezvous rendezvous = new Rendezvous(members);
      Set<String> zones = members.stream().map(Member::zone).collect(Collectors.toSet());
      for (int i = 0; i < 100; i++) {
        int copies = 1 + random.nextInt(8);
        List<Member> homes = rendezvous.choose(random.nextLong(), copies);
        assertEquals(Math.min(copies, members.size()), homes.size());
        assertEquals(homes.size(), new HashSet<>(homes).size());
        Set<String> used = homes.stream().map(Member::zone).collect(Collectors.toSet());
        assertEquals(
            Math.min(homes.size(), zones.size()), used.size(), "seed=" + seed + " " + homes);
      }
    }
  }

  @Test
  void shouldChooseSameWhenMemberOrderDiffers() {
    List<Member> members = randomMembers(12, 3);
    List<Member> shuffled = new ArrayList<>(members);
    Collections.shuffle(shuffled, random);
    Rendezvous one = new Rendezvous(members);
    Rendezvous other = new Rendezvous(shuffled);
    for (int i = 0; i < 1_000; i++) {
      long group = random.nextLong();
      assertEquals(one.choose(group, 4), other.choose(group, 4), "seed=" + seed);
    }
  }

  @Test
  void shouldStayStrictlyInsideUnitIntervalWhenBitsAreExtreme() {
    for (long bits : new long[] {0, -1, Long.MIN_VALUE, Long.MAX_VALUE, 0xFFF}) {
      double unit = Rendezvous.unit(bits);
      assertTrue(unit > 0 && unit < 1, "bits=" + bits);
      double score = -Double.MIN_NORMAL / StrictMath.log(unit);
      assertTrue(score > 0 && Double.isFinite(score), "bits=" + bits);
    }
  }

  @Test
  void shouldGiveTieToLowerIdWhenScoresAreEqual() {
    // Both scores overflow to infinity.
    Rendezvous rendezvous =
        new Rendezvous(
            List.of(
                new Member(9, Double.MAX_VALUE, "z"),
                new Member(-3, Double.MAX_VALUE, "z"),
                new Member(4, Double.MAX_VALUE, "z")));
    int ties = 0;
    for (int i = 0; i < 1_000; i++) {
      if (ids(rendezvous.choose(i, 3)).equals(List.of(-3L, 4L, 9L))) {
        ties++;
      }
    }
    assertTrue(ties > 0, "ties=" + ties);
  }

  @Test
  void shouldAnswerAllWhenMembersAreFew() {
    assertEquals(List.of(), new Rendezvous(List.of()).choose(1, 3));
    assertEquals(List.of(5L), ids(new Rendezvous(List.of(new Member(5, 1, ""))).choose(1, 3)));
  }

  @Test
  void shouldRefuseWhenInputIsOutOfRange() {
    for (double weight :
        new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
      assertRefused("KVA-0810", () -> new Member(1, weight, "z"));
    }
    assertRefused(
        "KVA-0811", () -> new Rendezvous(List.of(new Member(1, 1, "a"), new Member(1, 2, "b"))));
    assertRefused("KVA-0812", () -> new Rendezvous(List.of()).choose(1, 0));
  }

  private List<Member> randomMembers(int count, int zones) {
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      members.add(
          new Member(
              random.nextLong(), 0.25 + 4 * random.nextDouble(), "z" + random.nextInt(zones)));
    }
    return members;
  }

  private static List<Long> ids(List<Member> members) {
    return members.stream().map(Member::nodeId).toList();
  }
}
