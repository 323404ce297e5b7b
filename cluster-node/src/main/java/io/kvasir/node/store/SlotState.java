package io.kvasir.node.store;

/**
 * States of a slot. The code is what the slot table file holds, so codes are never reused.
 *
 * <pre>
 *                        ┌──────────pulled and verified─────────┐
 *   FREE ──reserve──▶ RESERVED ──commit──▶ CHECKSUMMING ──▶ COMMITTED ──evict, drop──▶ FREE
 *                      │   ▲                    │
 *                 abort│   └──directory full────┘
 *                      ▼
 *              FREE ◀─grace─ QUARANTINED ◀── owner gone while RESERVED
 * </pre>
 */
public enum SlotState {
  /** Holds nothing; the record's other fields mean nothing. */
  FREE(0),
  /** Its extent belongs to a writer that has not committed. */
  RESERVED(1),
  /** The writer has finished; a worker computes the checksum. */
  CHECKSUMMING(2),
  /** Complete, in the directory, visible; may be pinned or evicted. */
  COMMITTED(3),
  /**
   * Its writer is gone or from before a restart, and may still write into it: nobody may use it.
   */
  QUARANTINED(4);

  private static final SlotState[] BY_CODE = values();

  private final int code;

  SlotState(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }

  /** The state with this code; ask {@link #isCode} first when the code comes from a file. */
  static SlotState ofCode(int code) {
    return BY_CODE[code];
  }

  static boolean isCode(int code) {
    return code >= 0 && code < BY_CODE.length;
  }

  /** Whether a slot in this state may go to {@code next}. */
  boolean mayBecome(SlotState next) {
    return switch (this) {
      case FREE -> next == RESERVED;
      case RESERVED ->
          next == CHECKSUMMING || next == COMMITTED || next == QUARANTINED || next == FREE;
      case CHECKSUMMING -> next == COMMITTED || next == RESERVED || next == FREE;
      case COMMITTED, QUARANTINED -> next == FREE;
    };
  }
}
