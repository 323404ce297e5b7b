package io.kvasir.node.store;

import java.nio.file.Path;

/**
 * One mapped file of the slab, as engines map it.
 *
 * @param path absolute path
 * @param bytes file length; a multiple of 4 KiB
 */
public record SegmentFile(Path path, long bytes) {}
