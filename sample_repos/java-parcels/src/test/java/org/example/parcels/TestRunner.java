package org.example.parcels;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/** Runs every method marked with {@link Test}; exits with 1 if one of them fails. */
public final class TestRunner {
    /** Marks a static method without parameters as a test. */
    @Retention(RetentionPolicy.RUNTIME)
    @interface Test {}

    private static final List<Class<?>> SUITES = List.of(ModelTest.class, RoutingTest.class, PricingTest.class, FeedTest.class);

    private TestRunner() {}

    public static void main(String[] arguments) throws IllegalAccessException {
        int passed = 0;
        int failed = 0;
        for (Class<?> suite : SUITES) {
            Method[] methods = suite.getDeclaredMethods();
            Arrays.sort(methods, Comparator.comparing(Method::getName));
            for (Method method : methods) {
                if (!method.isAnnotationPresent(Test.class)) {
                    continue;
                }
                try {
                    method.invoke(null);
                    passed++;
                } catch (InvocationTargetException failure) {
                    failed++;
                    System.out.printf("FAILED %s.%s: %s%n", suite.getSimpleName(), method.getName(), failure.getCause());
                }
            }
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }

    static void assertEquals(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected %s, got %s".formatted(expected, actual));
        }
    }

    static void assertFails(Class<? extends Throwable> type, String part, Runnable action) {
        try {
            action.run();
        } catch (RuntimeException failure) {
            assertEquals(type, failure.getClass());
            assertEquals(true, failure.getMessage().contains(part));
            return;
        }
        throw new AssertionError("nothing was thrown");
    }
}
