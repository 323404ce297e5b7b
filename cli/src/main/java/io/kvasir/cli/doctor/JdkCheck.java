package io.kvasir.cli.doctor;

/**
 * The JDK: new enough, and with a compiler.
 *
 * @param feature feature number of its version
 * @param hasCompiler whether it has {@code jdk.compiler}
 * @param home where it is
 */
record JdkCheck(int feature, boolean hasCompiler, String home) implements Check {
  private static final int FEATURE_MIN = 25;

  static JdkCheck ofThisJvm() {
    return new JdkCheck(
        Runtime.version().feature(),
        ModuleLayer.boot().findModule("jdk.compiler").isPresent(),
        System.getProperty("java.home"));
  }

  @Override
  public String name() {
    return "jdk";
  }

  @Override
  public Finding run() {
    if (feature < FEATURE_MIN) {
      return new Finding.Fail(
          "KVA-0702 the JDK is too old - version=" + feature + " home=" + home + " (limit=25)",
          "install a JDK 25 or later and set KVASIR_JAVA_HOME to it");
    }
    if (!hasCompiler) {
      return new Finding.Fail(
          "KVA-0702 a runtime without compiler - version=" + feature + " home=" + home,
          "install a whole JDK, not a JRE: the directory compiles its accessors at run time");
    }
    return new Finding.Ok("version " + feature + " in " + home);
  }
}
