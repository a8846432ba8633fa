package org.example.parcels;

import java.io.IOException;
import java.io.Reader;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalTime;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.example.parcels.model.EventKind;
import org.example.parcels.notify.Notifier.Subscription;
import org.example.parcels.notify.QuietHours;
import org.example.parcels.pricing.Money;
import org.example.parcels.pricing.Surcharge;
import org.example.parcels.pricing.Tariff;
import org.example.parcels.routing.Service;

/** What the operator decided, in a properties file; whatever it leaves out has a default. */
public final class Settings {
    private static final String SUBSCRIBER = "subscriber.";

    private final Properties properties;

    public Settings(Properties properties) {
        this.properties = properties;
    }

    public static Settings read(Path path) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(path)) {
            properties.load(reader);
        }
        return new Settings(properties);
    }

    public Map<Service, Tariff> tariffs() {
        Map<Service, Tariff> tariffs = new EnumMap<>(Service.class);
        tariffs.put(Service.ECONOMY, tariff(Service.ECONOMY, "3.90", "0.55", "0.80"));
        tariffs.put(Service.EXPRESS, tariff(Service.EXPRESS, "8.90", "1.20", "1.45"));
        return tariffs;
    }

    private Tariff tariff(Service service, String base, String perKg, String per100Km) {
        String name = service.name().toLowerCase(Locale.ROOT);
        return new Tariff(
                Money.of(properties.getProperty(name + ".base", base)),
                Money.of(properties.getProperty(name + ".per-kg", perKg)),
                Money.of(properties.getProperty(name + ".per-100-km", per100Km)));
    }

    public List<Surcharge> surcharges() {
        return List.of(
                new Surcharge.Fuel(new BigDecimal(properties.getProperty("fuel.percent", "7.5"))),
                new Surcharge.Fragile(Money.of(properties.getProperty("fragile", "3.50"))));
    }

    public QuietHours quietHours() {
        return new QuietHours(
                LocalTime.parse(properties.getProperty("quiet.from", "21:30")),
                LocalTime.parse(properties.getProperty("quiet.to", "07:00")));
    }

    /** One subscription for each property such as {@code subscriber.a@example.org=DELIVERED,RETURNED}. */
    public List<Subscription> subscriptions() {
        return properties.stringPropertyNames().stream()
                .filter(name -> name.startsWith(SUBSCRIBER))
                .sorted()
                .map(name -> new Subscription(
                        name.substring(SUBSCRIBER.length()),
                        Stream.of(properties.getProperty(name).split(","))
                                .map(kind -> EventKind.valueOf(kind.strip()))
                                .collect(Collectors.toUnmodifiableSet())))
                .toList();
    }
}
