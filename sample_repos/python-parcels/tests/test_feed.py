"""The feed is read strictly, stored once, and turned into messages."""

import tempfile
import unittest
from datetime import UTC, datetime, time
from pathlib import Path

from parcels import EventKind, FeedError, JsonStore, MemoryStore, UnknownParcel, parse_feed
from parcels.feed import split_fields
from parcels.notify import QuietHours, Subscription, messages
from parcels.store import ingest

LINE = "2024-03-05T22:15:00+00:00|PX1|DELIVERED|HAM|signed"


class FeedTest(unittest.TestCase):
    def test_escapes(self) -> None:
        self.assertEqual(split_fields(r"a\|b | c\\|"), ["a|b", "c\\", ""])

    def test_comments_are_skipped_but_counted(self) -> None:
        (scan,) = parse_feed(["# hello", "", LINE])
        self.assertEqual((scan.number, scan.event.sequence, scan.event.note), ("PX1", 3, "signed"))

    def test_refusals_name_the_line(self) -> None:
        for line, reason in (
            ("a|b", "found 2"),
            ("noon|PX1|DELIVERED|HAM", "not a time"),
            ("2024-03-05T08:00:00|PX1|DELIVERED|HAM", "no offset"),
            ("2024-03-05T08:00:00+00:00|PX1|EATEN|HAM", "not an event"),
        ):
            with self.subTest(line), self.assertRaisesRegex(FeedError, f"line 2: .*{reason}"):
                list(parse_feed(["#", line]))


class StoreTest(unittest.TestCase):
    def test_only_news_is_ingested(self) -> None:
        store = MemoryStore()
        self.assertEqual(len(ingest(store, parse_feed([LINE]))), 1)
        self.assertEqual(ingest(store, parse_feed([LINE])), [])
        with self.assertRaises(UnknownParcel):
            store.get("PX2")

    def test_json_survives_a_restart(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "parcels.json")
            store = JsonStore(path)
            ingest(store, parse_feed([LINE]))
            store.save()
            self.assertEqual(list(JsonStore(path)), list(store))


class NotifyTest(unittest.TestCase):
    def test_quiet_hours_defer_to_the_morning(self) -> None:
        quiet = QuietHours(time(21, 30), time(7, 0))
        wanted = Subscription("a@example.org", frozenset({EventKind.DELIVERED}))
        other = Subscription("b@example.org", frozenset({EventKind.DELIVERED}), frozenset({"PX9"}))
        (message,) = messages(parse_feed([LINE]), [wanted, other], quiet)
        self.assertEqual(message.send_at, datetime(2024, 3, 6, 7, 0, tzinfo=UTC))

    def test_the_end_of_the_span_is_allowed(self) -> None:
        quiet = QuietHours(time(21, 30), time(7, 0))
        self.assertFalse(quiet.covers(time(7, 0)))
        self.assertTrue(quiet.covers(time(21, 30)))
