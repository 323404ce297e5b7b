package io.kvasir.node.local;

import java.io.IOException;
import java.nio.file.Path;

/** Makes a folder, says where, and waits to be killed. */
final class LocalFolderChild {
  private LocalFolderChild() {}

  public static void main(final String[] args) throws IOException {
    final LocalFolder folder = LocalFolder.create(Path.of(args[0]), args[1]);
    System.out.println(folder.path());
    while (System.in.read() >= 0) {
      // Until whoever started it is gone.
    }
  }
}
