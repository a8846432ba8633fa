//! From the feed to parcels and messages.

use parcels::feed::{self, Scan};
use parcels::notify::{messages, QuietHours, Subscription};
use parcels::{Config, Error, EventKind, Store};

const FEED: &str = "\
2024-03-05T22:15Z|PX1|DELIVERED|HAM|door 3 \\| left
2024-03-05T08:00Z|PX1|ACCEPTED|HAM
2024-03-05T09:00Z|PX2|ACCEPTED|HAM
";

fn scans() -> Vec<Scan> {
    feed::parse(FEED).collect::<Result<_, _>>().unwrap()
}

#[test]
fn late_scans_are_sorted_in_and_repeated_ones_are_not_news() {
    let mut store = Store::default();
    assert!(scans().iter().all(|scan| store.ingest(scan)));
    assert!(!scans().iter().any(|scan| store.ingest(scan)));
    let parcel = store.get("PX1").unwrap();
    let kinds: Vec<EventKind> = parcel.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Accepted, EventKind::Delivered]);
    assert!(parcel.is_finished());
    assert_eq!(store.get("PX3"), Err(Error::UnknownParcel("PX3".into())));
    assert_eq!(store.iter().count(), 2);
}

#[test]
fn messages_wait_for_the_end_of_the_quiet_hours() {
    let wanted =
        [Subscription { address: "a@example.org".into(), kinds: vec![EventKind::Delivered] }];
    let quiet = QuietHours { from: 21 * 60, to: 7 * 60 };
    let sent: Vec<String> = scans()
        .iter()
        .flat_map(|scan| messages(scan, &wanted, quiet).collect::<Vec<_>>())
        .map(|message| message.send_at.to_string())
        .collect();
    assert_eq!(sent, ["2024-03-06 07:00"]);
}

#[test]
fn quiet_hours_end_before_their_last_minute() {
    let night = QuietHours { from: 21 * 60, to: 7 * 60 };
    let noon = QuietHours { from: 12 * 60, to: 13 * 60 };
    assert_eq!([1259, 1260, 419, 420].map(|m| night.covers(m)), [false, true, true, false]);
    assert_eq!([719, 720, 779, 780].map(|m| noon.covers(m)), [false, true, true, false]);
}

#[test]
fn settings_are_laid_over_the_defaults() {
    let config: Config = "quiet.to = 6:15\nsubscriber.a@b = RETURNED, CUSTOMS".parse().unwrap();
    assert_eq!(config.quiet, QuietHours { from: 21 * 60 + 30, to: 6 * 60 + 15 });
    assert_eq!(config.subscriptions[0].kinds, [EventKind::Returned, EventKind::Customs]);
    let refused = "quiet.till = 6:15".parse::<Config>().unwrap_err();
    assert_eq!(refused.to_string(), "line 1: \"quiet.till\" is not the name of a setting");
}
