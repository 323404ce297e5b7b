package io.kvasir.cli.doctor;

import java.io.IOException;

/** One thing that a node needs. Looks only: it changes and leaves nothing. */
interface Check {
  /** A short name, unique in a report. */
  String name();

  /**
   * Looks.
   *
   * @throws IOException if it cannot; the report then says so
   */
  Finding run() throws IOException;
}
