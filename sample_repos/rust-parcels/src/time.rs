//! When did it happen? Minutes since 1970, in UTC: all that tracking needs of a calendar.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

const MINUTES_PER_DAY: i64 = 24 * 60;

/// A moment, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The minutes since midnight.
    pub fn minute_of_day(self) -> u32 {
        self.0.rem_euclid(MINUTES_PER_DAY) as u32
    }

    /// The next moment with that time of day; the moment itself if it has it.
    #[must_use]
    pub fn next_at(self, minute_of_day: u32) -> Moment {
        let wait = (i64::from(minute_of_day) - self.0).rem_euclid(MINUTES_PER_DAY);
        Moment(self.0 + wait)
    }
}

/// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse: year, month and day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl FromStr for Moment {
    type Err = Error;

    /// Reads `2024-03-05T08:15Z`; seconds may follow the minutes and are dropped.
    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::invalid("a time in UTC like 2024-03-05T08:15Z", text);
        let (date, time) = text.strip_suffix('Z').and_then(|t| t.split_once('T')).ok_or_else(invalid)?;
        let numbers = |part: &str, mark: char| -> Result<Vec<i64>, Error> {
            part.split(mark).map(|n| n.parse().map_err(|_| invalid())).collect()
        };
        match (numbers(date, '-')?.as_slice(), numbers(time, ':')?.as_slice()) {
            (&[year, month @ 1..=12, day @ 1..=31], &[hour @ 0..=23, minute @ 0..=59, ..]) => {
                let days = days_from_civil(year, month, day);
                Ok(Moment(days * MINUTES_PER_DAY + hour * 60 + minute))
            }
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(MINUTES_PER_DAY));
        let minute = self.minute_of_day();
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip() {
        for (text, shown) in [
            ("1970-01-01T00:00Z", "1970-01-01 00:00"),
            ("2024-02-29T23:59:30Z", "2024-02-29 23:59"),
            ("2100-03-01T07:05Z", "2100-03-01 07:05"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), shown);
        }
        assert!("2024-13-01T00:00Z".parse::<Moment>().is_err());
        assert!("2024-03-01 00:00".parse::<Moment>().is_err());
    }

    #[test]
    fn the_next_time_of_day_may_be_tomorrow() {
        let evening: Moment = "2024-02-29T22:05Z".parse().unwrap();
        assert_eq!(evening.next_at(7 * 60).to_string(), "2024-03-01 07:00");
        assert_eq!(evening.next_at(22 * 60 + 5), evening);
    }
}
