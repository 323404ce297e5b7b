@NullMarked
package io.kvasir.cli.doctor;

import org.jspecify.annotations.NullMarked;
