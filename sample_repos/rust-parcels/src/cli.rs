//! What does the user want to know? The command line: read, ask, show.

use std::fmt::Write as _;
use std::fs;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::feed::{self, Scan};
use crate::notify::messages;
use crate::pricing::{QuoteDesk, Request};
use crate::routing::Network;
use crate::store::Store;

const USAGE: &str = "usage: parcels track FEED NUMBER | route FROM TO SERVICE
       | quote FROM TO SERVICE SIZE KG | notify FEED";

/// Runs one command and returns what it prints.
pub fn run(arguments: &[String]) -> Result<String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["track", feed, number] => track(feed, number),
        ["route", from, to, service] => route(from, to, service),
        ["quote", from, to, service, size, kg] => quote(Request {
            from: from.to_owned(),
            to: to.to_owned(),
            service: service.parse()?,
            size: size.parse()?,
            scale: kg.parse()?,
        }),
        ["notify", feed] => notify(feed),
        _ => Err(Error::Usage(USAGE.to_owned())),
    }
}

fn track(path: &str, number: &str) -> Result<String> {
    let mut store = Store::default();
    for scan in scans(path)? {
        store.ingest(&scan);
    }
    let parcel = store.get(number)?;
    let standing = if parcel.is_finished() { "finished" } else { "on its way" };
    let mut text = format!("{number}: {standing}\n");
    for event in parcel.events() {
        push_line(&mut text, format_args!("  {event}"));
    }
    Ok(text)
}

fn route(from: &str, to: &str, service: &str) -> Result<String> {
    let route = network()?.shortest(from, to, service.parse()?)?;
    Ok(format!("{route}: {} km, {} h\n", route.km(), route.hours()))
}

fn quote(request: Request) -> Result<String> {
    let (network, config) = (network()?, config()?);
    let quote = QuoteDesk::new(&network, &config.tariffs, &config.surcharges).quote(&request)?;
    let mut text = format!("weight {}, {} h\n", quote.weight, quote.hours);
    for (name, amount) in &quote.lines {
        push_line(&mut text, format_args!("{name:<10}{amount:>8}"));
    }
    push_line(&mut text, format_args!("{:<10}{:>8}", "total", quote.total()));
    Ok(text)
}

fn notify(path: &str) -> Result<String> {
    let config = config()?;
    let mut store = Store::default();
    let mut text = String::new();
    for scan in scans(path)? {
        if store.ingest(&scan) {
            for message in messages(&scan, &config.subscriptions, config.quiet) {
                push_line(
                    &mut text,
                    format_args!("{}  {}  {}", message.send_at, message.address, message.text),
                );
            }
        }
    }
    Ok(text)
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

fn scans(path: &str) -> Result<Vec<Scan>> {
    feed::parse(&read(path)?).collect()
}

fn network() -> Result<Network> {
    read("examples/network.txt")?.parse()
}

fn config() -> Result<Config> {
    read("examples/parcels.conf")?.parse()
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Error::File(format!("{path}: {error}")))
}
