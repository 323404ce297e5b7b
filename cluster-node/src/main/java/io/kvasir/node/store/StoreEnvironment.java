package io.kvasir.node.store;

import java.security.SecureRandom;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.agrona.concurrent.NanoClock;
import org.agrona.concurrent.SystemNanoClock;

/**
 * What the store takes from the outside world.
 *
 * @param clock for quarantine and process checks
 * @param host boot id and living processes
 * @param random versions, slab ids, incarnations
 */
record StoreEnvironment(NanoClock clock, HostIdentity host, RandomGenerator random) {
  /** The real clock and host, and a generator seeded from the system. */
  static StoreEnvironment system() {
    return new StoreEnvironment(
        SystemNanoClock.INSTANCE,
        HostIdentity.local(),
        new SplittableRandom(new SecureRandom().nextLong()));
  }

  /** A random number that is never 0: 0 means "any" or "none" wherever these numbers go. */
  long nextId() {
    long id;
    do {
      id = random.nextLong();
    } while (id == 0);
    return id;
  }
}
