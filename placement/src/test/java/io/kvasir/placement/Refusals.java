package io.kvasir.placement;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.function.Executable;

/** Checks that bad input is refused with the message id that the documentation gives it. */
final class Refusals {
  private Refusals() {}

  /** Answers the message. */
  static String assertRefused(String code, Executable call) {
    String message =
        String.valueOf(assertThrows(IllegalArgumentException.class, call).getMessage());
    assertTrue(message.startsWith(code + " "), message);
    return message;
  }
}
