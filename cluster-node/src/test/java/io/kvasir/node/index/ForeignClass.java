package io.kvasir.node.index;

import java.io.Serial;
import java.io.Serializable;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.cache.processor.EntryProcessor;
import javax.cache.processor.MutableEntry;

/** On every class path of this test, and on no allow-list: it must never run on another node. */
final class ForeignClass implements EntryProcessor<byte[], byte[], Boolean>, Serializable {
  static final AtomicBoolean RAN = new AtomicBoolean();
  @Serial private static final long serialVersionUID = 1L;

  @Override
  public Boolean process(final MutableEntry<byte[], byte[]> entry, final Object... arguments) {
    RAN.set(true);
    return true;
  }
}
