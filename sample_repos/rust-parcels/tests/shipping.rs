//! From the network to routes and prices.

use parcels::{Config, Error, Money, Network, QuoteDesk, Request, Service};

const NETWORK: &str = "\
# a triangle, and a hub apart
hub A Aachen
hub B Bonn
hub C Celle
hub D Dresden
link A B 10 9
link B C 10 9
link A C 50 3 7
";

fn network() -> Network {
    NETWORK.parse().unwrap()
}

#[test]
fn economy_saves_kilometres_and_express_hours() {
    let network = network();
    let economy = network.shortest("A", "C", Service::Economy).unwrap();
    assert_eq!((economy.to_string().as_str(), economy.km(), economy.hours()), ("A > B > C", 20, 18));
    assert_eq!(network.shortest("A", "C", Service::Express).unwrap().hours(), 3);
    assert_eq!(network.shortest("C", "A", Service::Express).unwrap().hours(), 7);
    assert!(network.shortest("B", "B", Service::Express).unwrap().legs().is_empty());
}

#[test]
fn what_does_not_exist_is_refused() {
    let refuse = |to: &str| network().shortest("A", to, Service::Economy).unwrap_err();
    assert_eq!(refuse("X"), Error::UnknownHub("X".into()));
    assert_eq!(refuse("D"), Error::NoRoute("A".into(), "D".into()));
    let broken = "hub A Aachen\nlink A B 1 1".parse::<Network>().unwrap_err();
    assert_eq!(broken.to_string(), "line 2: no hub has the code B");
}

#[test]
fn a_quote_lists_what_applies() {
    let (network, config) = (network(), Config::default());
    let desk = QuoteDesk::new(&network, &config.tariffs, &config.surcharges);
    let mut request = Request {
        from: "A".into(),
        to: "C".into(),
        service: Service::Express,
        size: "10x10x10".parse().unwrap(),
        scale: "2".parse().unwrap(),
    };
    // 8.90 + 2 x 1.20 + 0.5 x 1.45, and 7.5 % of it
    let quote = desk.quote(&request).unwrap();
    assert_eq!(quote.lines, [("carriage", Money(1203)), ("fuel", Money(90))]);
    assert_eq!(quote.total().to_string(), "12.93");
    request.size = "121x10x10".parse().unwrap();
    assert_eq!(desk.quote(&request).unwrap().lines[2], ("bulky", Money(950)));
}
