package io.kvasir.placement;

import java.util.List;

/** The eviction policies by the names that configuration and command line use. */
public final class EvictionPolicies {
  private static final String LRU = "lru";
  private static final String S3_FIFO = "s3fifo";

  /** The robust default over the FAST'25 Mooncake traces: late re-use needs a long small queue. */
  private static final double S3_FIFO_SMALL_SHARE = 0.6;

  private EvictionPolicies() {}

  /** All names that {@link #create} knows. */
  public static List<String> names() {
    return List.of(LRU, S3_FIFO);
  }

  /**
   * Makes an empty policy.
   *
   * @param name one of {@link #names}
   * @param maxSlots slots of the store, at least 1
   * @throws IllegalArgumentException if the name is unknown or {@code maxSlots} out of range
   */
  public static EvictionPolicy create(String name, int maxSlots) {
    return switch (name) {
      case LRU -> new Lru(maxSlots);
      case S3_FIFO -> new S3Fifo(maxSlots, S3_FIFO_SMALL_SHARE);
      default ->
          throw new IllegalArgumentException(
              "KVA-0813 eviction policy unknown - name="
                  + name
                  + "; use one of "
                  + String.join(", ", names()));
    };
  }
}
