package org.example.parcels.cli;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.example.parcels.ParcelsException;
import org.example.parcels.Settings;
import org.example.parcels.feed.Feed;
import org.example.parcels.feed.FeedParser;
import org.example.parcels.model.Dimensions;
import org.example.parcels.model.Parcel;
import org.example.parcels.notify.Notifier;
import org.example.parcels.pricing.QuoteDesk;
import org.example.parcels.routing.Network;
import org.example.parcels.routing.Route;
import org.example.parcels.routing.RouteFinder;
import org.example.parcels.routing.Service;
import org.example.parcels.store.Archive;
import org.example.parcels.store.ParcelStore;

/** The command line: parse, ask, print. */
public final class Main {
    private interface Command {
        void run(List<String> operands) throws IOException;
    }

    private static final Map<String, Command> COMMANDS = Map.of(
            "track", Main::track,
            "archive", Main::archive,
            "route", Main::route,
            "quote", Main::quote,
            "notify", Main::notifySubscribers);

    private Main() {}

    public static void main(String[] arguments) {
        Command command = arguments.length == 0 ? null : COMMANDS.get(arguments[0]);
        if (command == null) {
            System.err.println("usage: parcels track|archive|route|quote|notify OPERANDS...");
            System.exit(2);
        }
        try {
            command.run(Arrays.asList(arguments).subList(1, arguments.length));
        } catch (ParcelsException | IOException refused) {
            System.err.println("parcels: " + refused.getMessage());
            System.exit(3);
        }
    }

    private static void track(List<String> operands) throws IOException {
        ParcelStore store = new ParcelStore();
        store.ingest(feed(operands.get(0)).scans());
        Parcel parcel = store.get(operands.get(1));
        System.out.printf("%s: %s%n", parcel.number(), parcel.isFinished() ? "finished" : "on its way");
        parcel.events().forEach(event -> System.out.println("  " + event));
    }

    private static void archive(List<String> operands) throws IOException {
        Feed feed = feed(operands.get(0));
        ParcelStore store = new ParcelStore();
        store.ingest(feed.scans());
        Archive archive = new Archive();
        archive.close(store, feed.manifest());
        for (Archive.Entry entry : archive.entries()) {
            System.out.printf(
                    "%s  %s after %d h%n", entry.number(), entry.ending().label(), entry.journey().toHours());
        }
        System.out.printf("%d still on their way%n", store.all().size());
    }

    private static void route(List<String> operands) throws IOException {
        Route route = routes().find(operands.get(0), operands.get(1), service(operands.get(2)));
        System.out.printf("%s: %d km, %d h%n", route, route.km(), route.hours());
    }

    private static void quote(List<String> operands) throws IOException {
        Settings settings = settings();
        QuoteDesk desk = new QuoteDesk(routes(), settings.tariffs(), settings.surcharges());
        QuoteDesk.Quote quote = desk.quote(new QuoteDesk.Request(
                operands.get(0),
                operands.get(1),
                service(operands.get(2)),
                new BigDecimal(operands.get(3)),
                Dimensions.parse(operands.get(4)),
                operands.subList(5, operands.size()).contains("fragile")));
        quote.lines().forEach(line -> System.out.printf("%-10s%8s%n", line.label(), line.amount()));
        System.out.printf("%-10s%8s%n", "total", quote.total());
    }

    private static void notifySubscribers(List<String> operands) throws IOException {
        Settings settings = settings();
        Notifier notifier = new Notifier(settings.subscriptions(), settings.quietHours());
        for (Notifier.Message message : notifier.messages(new ParcelStore().ingest(feed(operands.get(0)).scans()))) {
            System.out.printf("%s  %s  %s%n", message.sendAt(), message.address(), message.text());
        }
    }

    private static Feed feed(String path) throws IOException {
        return FeedParser.parse(Files.readAllLines(Path.of(path)));
    }

    private static RouteFinder routes() throws IOException {
        return new RouteFinder(Network.parse(Files.readAllLines(Path.of("examples/network.txt"))));
    }

    private static Settings settings() throws IOException {
        return Settings.read(Path.of("examples/parcels.properties"));
    }

    private static Service service(String name) {
        return Arrays.stream(Service.values())
                .filter(service -> service.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new ParcelsException.Unknown("service", name));
    }
}
