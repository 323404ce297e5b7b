package io.kvasir.node.store;

/**
 * Named outcomes of store calls that otherwise answer a slot number. All are negative, so {@code
 * result >= 0} means a slot. The values are stable: they go into counters and logs.
 */
public final class StoreCodes {
  /** No committed chunk has this key. */
  public static final int NOT_FOUND = -1;

  /** A committed chunk with this key is already here. */
  public static final int ALREADY = -2;

  /** Another owner is writing this key, or an older epoch of it is still being read. */
  public static final int BUSY = -3;

  /** No room, and nothing (more) may be evicted. */
  public static final int NO_SPACE = -4;

  /** The owner's pins and reservations would exceed its share of the slab; releasing helps. */
  public static final int OVER_SHARE = -5;

  /** The chunk is larger than a segment or than the owner's share; it never fits. */
  public static final int TOO_LARGE = -6;

  /** The directory refused the entry. */
  public static final int DIRECTORY_FULL = -8;

  /** {@link Store#pin}: the slot is pinned now. */
  public static final int PINNED = 0;

  /** {@link Store#pin}: pinned, and the answer comes as {@link StoreListener#onPinVerified}. */
  public static final int VERIFYING = 1;

  private StoreCodes() {}

  /** The name of a negative code, for messages and counters. */
  public static String name(int code) {
    return switch (code) {
      case NOT_FOUND -> "NOT_FOUND";
      case ALREADY -> "ALREADY";
      case BUSY -> "BUSY";
      case NO_SPACE -> "NO_SPACE";
      case OVER_SHARE -> "OVER_SHARE";
      case TOO_LARGE -> "TOO_LARGE";
      case DIRECTORY_FULL -> "DIRECTORY_FULL";
      default -> "code " + code;
    };
  }
}
