//! The calendar of budgets: days, weeks, months and quarters of UTC.
//!
//! A week begins on Monday, a quarter with January, April, July or October. Leap seconds are not
//! counted, as in Unix time.

use crate::lexicon::{
    meter::MeterKey,
    time::{DAY_MS, UnixMillis},
};

/// The first of January 1970 was a Thursday: three days behind a Monday.
const EPOCH_WEEKDAY: u64 = 3;

/// How long a budget holds until it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Period {
    Day,
    Week,
    Month,
    Quarter,
    /// It never begins anew.
    Lifetime,
}

/// One period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first millisecond.
    pub start: UnixMillis,
    /// The first millisecond of the next; none where there is no next.
    pub end: Option<UnixMillis>,
    /// What tells the meters of this period from those of others.
    pub key: MeterKey,
}

/// The periods that hold at a moment, worked out once each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    spans: [Span; Period::ALL.len()],
    /// From then on at least one of them is over.
    until: UnixMillis,
}

impl Period {
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Lifetime];

    /// The word behind `cost_per_`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Lifetime => "lifetime",
        }
    }

    /// The period of this kind that holds `at`.
    #[must_use]
    pub fn span(self, at: UnixMillis) -> Span {
        let day = at.0 / DAY_MS;
        let (year, month) = month_of(day);
        let (start, end) = match self {
            Self::Day => (day, Some(day + 1)),
            Self::Week => {
                let week = (day + EPOCH_WEEKDAY) / 7;
                // The first week began before 1970.
                ((week * 7).saturating_sub(EPOCH_WEEKDAY), Some(week * 7 + 7 - EPOCH_WEEKDAY))
            }
            Self::Month => (first_of(year, month), Some(first_of(year, month + 1))),
            Self::Quarter => {
                let first = month / 3 * 3;
                (first_of(year, first), Some(first_of(year, first + 3)))
            }
            Self::Lifetime => (0, None),
        };
        let start = UnixMillis(start * DAY_MS);
        let end = end.map(|day| UnixMillis(day * DAY_MS));
        let key = MeterKey::of(&["period", self.label(), &start.0.to_string()]);
        Span { start, end, key }
    }
}

impl Calendar {
    #[must_use]
    pub fn at(now: UnixMillis) -> Self {
        let spans = Period::ALL.map(|period| period.span(now));
        let ends = spans.iter().filter_map(|span| span.end);
        Self { spans, until: ends.min().unwrap_or(UnixMillis(u64::MAX)) }
    }

    /// The calendar from `now` on. It never turns back: who asks for an earlier moment gets the
    /// periods that hold already.
    ///
    /// **Cost**: one comparison but for the first time in each day.
    pub fn turn(&mut self, now: UnixMillis) {
        if now >= self.until {
            *self = Self::at(now);
        }
    }

    /// The calendar of `at`, whether that is later or earlier.
    ///
    /// **Cost**: two comparisons where it is of the same day.
    pub fn move_to(&mut self, at: UnixMillis) {
        let day = self.span(Period::Day);
        if at < day.start || day.end.is_none_or(|end| at >= end) {
            *self = Self::at(at);
        }
    }

    /// From then on at least one of its periods is over; no calendar of another day says the same.
    #[must_use]
    pub const fn until(&self) -> UnixMillis {
        self.until
    }

    #[must_use]
    pub const fn span(&self, period: Period) -> &Span {
        &self.spans[period as usize]
    }
}

/// Year and month (from 0) of a day since 1970.
///
/// **Source**: the proleptic Gregorian calendar; years are counted from March, so that the leap day
/// is a year's last (`howardhinnant.github.io/date_algorithms.html`, read 2026-11-21).
const fn month_of(day: u64) -> (u64, u64) {
    // Days since the first of March of the year 0.
    let day = day + 719_468;
    let era = day / 146_097;
    let day_of_era = day % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let year = era * 400 + year_of_era;
    if from_march < 10 { (year, from_march + 2) } else { (year + 1, from_march - 10) }
}

/// The days from 1970 to the first of this month (from 0, beyond 11 of the next year).
const fn first_of(year: u64, month: u64) -> u64 {
    let (year, month) = (year + month / 12, month % 12);
    let (year, from_march) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::{Calendar, Period};
    use crate::lexicon::time::{DAY_MS, UnixMillis};
    use jiff::{Timestamp, civil::Weekday, tz::TimeZone};

    /// The first millisecond of a day, as another library counts.
    fn first_ms(day: jiff::civil::Date) -> u64 {
        let at = day.to_zoned(TimeZone::UTC).expect("within its range").timestamp();
        u64::try_from(at.as_millisecond()).unwrap_or(0)
    }

    #[test]
    fn every_day_of_two_centuries_lies_in_the_periods_that_another_calendar_names() {
        for day in 0..73_000_u64 {
            let at = UnixMillis(day * DAY_MS + day * 997 % DAY_MS);
            let millis = i64::try_from(at.0).expect("small");
            let date = Timestamp::from_millisecond(millis).expect("in range");
            let date = date.to_zoned(TimeZone::UTC).date();
            let first = date.first_of_month();
            let months = i32::from((date.month() - 1) % 3);
            let quarter = first.saturating_sub(jiff::Span::new().months(months));
            let back = date.weekday().since(Weekday::Monday);
            let monday = date.saturating_sub(jiff::Span::new().days(i32::from(back)));
            for (period, start, end) in [
                (Period::Day, date, date.tomorrow().expect("in range")),
                (Period::Week, monday, monday.saturating_add(jiff::Span::new().days(7))),
                (Period::Month, first, first.saturating_add(jiff::Span::new().months(1))),
                (Period::Quarter, quarter, quarter.saturating_add(jiff::Span::new().months(3))),
            ] {
                let span = period.span(at);
                assert_eq!(span.start.0, first_ms(start), "{period:?} of {date}");
                assert_eq!(span.end, Some(UnixMillis(first_ms(end))), "{period:?} of {date}");
            }
        }
    }

    #[test]
    fn a_calendar_turns_at_midnight_and_never_back() {
        let evening = UnixMillis(20_000 * DAY_MS - 1);
        let mut calendar = Calendar::at(evening);
        let before = calendar.span(Period::Day).key;
        calendar.turn(UnixMillis(evening.0 + 1));
        let after = calendar.span(Period::Day).key;
        assert_ne!(before, after);

        calendar.turn(evening);

        assert_eq!(calendar.span(Period::Day).key, after);
        assert_eq!(calendar.span(Period::Lifetime).end, None);
    }

    #[test]
    fn a_calendar_moves_to_any_day_as_if_made_for_it() {
        let mut calendar = Calendar::at(UnixMillis(0));
        for day in [0, 1, 59, 58, 20_000, 19_999, 365, 364, 20_000] {
            for at in [day * DAY_MS, day * DAY_MS + DAY_MS - 1].map(UnixMillis) {
                calendar.move_to(at);
                assert_eq!(calendar, Calendar::at(at));
            }
        }
    }
}
