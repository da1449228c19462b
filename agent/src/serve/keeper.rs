//! What a server remembers of a connection, and how fast it lets it go.
//!
//! ```text
//!  pump: counts each byte ──► Meter ──► Keeper: every second or ten ──► rates ──► pump
//!                                          └── every ten seconds, and at the end ──► activity.db
//! ```
//!
//! A server that is killed loses what moved since it last wrote. Nothing that fails here ends a connection: figures that
//! could not be written are written the next time, or not at all.
//!
//! **Rates.** An account's timetable and those of its groups count at once, and the lowest each way. Several connections share a
//! rate in equal parts: each in which bytes move holds a lock that the others count ([`Vault::live`]), so one that only
//! waits takes nothing from anybody. Timetables are read again every ten seconds.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use store::activity::{Added, Outcome, Run, SessionKey, SessionRow};
use store::door::{Chance, Clock, Millis, random};
use store::vault::{AccountInfo, Common, Live, Vault};
use transport::{Meter, Pace, Rates, Traffic};

use crate::engine::queue::lock;
use crate::timetable::Timetable;

/// How often it looks while bytes move or there is a limit …
const TURN: Duration = Duration::from_secs(1);
/// … and otherwise: as often as it writes.
const QUIET_TURN: Duration = Duration::from_secs(10);
/// How often it writes while bytes move, ms: what a killed server loses.
const WRITE_MS: Millis = 10_000;
/// How often it reads timetables, ms.
const TERMS_MS: Millis = 10_000;
/// With fewer bytes from look to look nothing moves: what keeps a line awake is less.
const STILL_BYTES: u64 = 1 << 10;
/// For so long after bytes have moved a connection takes part in a rate, ms.
const MOVING_MS: Millis = 10_000;

/// Keeps the figures and the pace of one connection.
pub struct Keeper {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    /// Whose clocks timetables go by.
    zone: TimeZone,
    role: &'static str,
    meter: Arc<Meter>,
    began_at: Millis,
    began: Millis,
    rates: Mutex<Rates>,
    open: Mutex<Option<Open>>,
    over: Mutex<bool>,
    ended: Condvar,
}

/// The account that is open on the connection.
struct Open {
    vault: Vault,
    account: AccountInfo,
    row: SessionRow,
    /// What the meter said when the account was opened: bytes before belong to another one.
    from: Traffic,
    /// What was written of it, up to when on the monotonic clock, and whether as a session that began.
    written: Traffic,
    written_to: Millis,
    counted: bool,
    /// What the meter said at the last look, and when bytes last moved.
    seen: Traffic,
    moved: Millis,
    limits: Vec<(Common, Timetable)>,
    limits_read: Millis,
    parts: Vec<Live>,
}

impl Pace for Keeper {
    fn rates(&self) -> Rates {
        let client = *lock(&self.rates);
        // What goes up for a client comes down here.
        Rates { up: client.down, down: client.up }
    }
}

impl Keeper {
    /// For a connection that begins now.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>, zone: TimeZone, role: &'static str) -> Self {
        Self {
            began_at: clock.now_ms(),
            began: clock.monotonic_ms(),
            clock,
            chance,
            zone,
            role,
            meter: Arc::default(),
            rates: Mutex::default(),
            open: Mutex::default(),
            over: Mutex::new(false),
            ended: Condvar::new(),
        }
    }

    /// What counts its bytes.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// The rates in force, as the client sees them: up is what it sends.
    pub fn client_rates(&self) -> Rates {
        *lock(&self.rates)
    }

    /// An account was opened: from now on what moves is its. What moved before the first counts to the first.
    pub fn opened(&self, vault: &Vault, account: &AccountInfo, program: &str) {
        let mut open = lock(&self.open);
        if open.as_ref().is_some_and(|open| open.account.id == account.id) {
            return;
        }
        let now = self.clock.monotonic_ms();
        let traffic = self.meter.traffic();
        let first = match open.take() {
            Some(mut before) => {
                self.write(&mut before, Outcome::Ended);
                false
            }
            None => true,
        };
        let from = if first { Traffic::default() } else { traffic };
        let began = if first { self.began } else { now };
        let row = SessionRow {
            account: account.number,
            id: random(&*self.chance),
            began_at: if first { self.began_at } else { self.clock.now_ms() },
            role: self.role.to_owned(),
            program: program.to_owned(),
            ..SessionRow::default()
        };
        let mut opened = Open {
            vault: vault.clone(),
            account: account.clone(),
            row,
            from,
            written: from,
            written_to: began,
            counted: false,
            seen: traffic,
            moved: now,
            limits: Vec::new(),
            limits_read: now,
            parts: Vec::new(),
        };
        opened.read_limits();
        self.set_rates(&mut opened, now);
        *open = Some(opened);
        self.ended.notify_all();
    }

    /// What names this connection in what is remembered of it; `None` before an account is open.
    pub fn session(&self) -> Option<SessionKey> {
        lock(&self.open).as_ref().map(|open| open.row.id)
    }

    /// What the client told of its run: it is written with the rest.
    pub fn told(&self, run: Run) {
        if let Some(open) = lock(&self.open).as_mut() {
            open.row.run = run;
        }
    }

    /// The connection carries bulk for another one.
    pub fn is_stripe(&self) {
        if let Some(open) = lock(&self.open).as_mut() {
            open.row.stripe = true;
        }
    }

    /// Looks again and again, until the connection is over.
    pub fn watch(&self) {
        let mut over = lock(&self.over);
        while !*over {
            // However often it is woken: what is done is decided by the clock.
            let pause = if self.is_quiet() { QUIET_TURN } else { TURN };
            over = self.ended.wait_timeout(over, pause).unwrap_or_else(PoisonError::into_inner).0;
            if !*over {
                drop(over);
                self.turn();
                over = lock(&self.over);
            }
        }
    }

    /// The connection is over: writes the rest.
    pub fn end(&self, well: bool) {
        *lock(&self.over) = true;
        self.ended.notify_all();
        if let Some(mut open) = lock(&self.open).take() {
            self.write(&mut open, if well { Outcome::Ended } else { Outcome::Lost });
        }
    }

    /// Nothing moves, and nothing would be held back if it did.
    fn is_quiet(&self) -> bool {
        let now = self.clock.monotonic_ms();
        lock(&self.open).as_ref().is_none_or(|open| open.limits.is_empty() && !open.is_moving(now))
    }

    /// What is due now.
    fn turn(&self) {
        let mut held = lock(&self.open);
        let Some(open) = held.as_mut() else { return };
        let now = self.clock.monotonic_ms();
        let traffic = self.meter.traffic();
        if total(traffic) >= total(open.seen).saturating_add(STILL_BYTES) {
            open.moved = now;
        }
        open.seen = traffic;
        let due = open.is_moving(now) || !open.limits.is_empty();
        if due && now >= open.limits_read.saturating_add(TERMS_MS) {
            open.read_limits();
            open.limits_read = now;
        }
        self.set_rates(open, now);
        if total(traffic) > total(open.written) && now >= open.written_to.saturating_add(WRITE_MS) {
            self.write(open, Outcome::Open);
        }
    }

    fn set_rates(&self, open: &mut Open, now: Millis) {
        let moving = open.is_moving(now);
        let rates = open.rates(self.clock.now_ms(), &self.zone, moving);
        *lock(&self.rates) = rates;
    }

    /// Writes what is new.
    fn write(&self, open: &mut Open, outcome: Outcome) {
        let (now, traffic) = (self.clock.monotonic_ms(), self.meter.traffic());
        let at = self.clock.now_ms();
        let since = |now: u64, before: u64| now.saturating_sub(before);
        open.row.in_bytes = since(traffic.received_bytes, open.from.received_bytes);
        open.row.out_bytes = since(traffic.sent_bytes, open.from.sent_bytes);
        open.row.waited_ms = self.meter.throttled_ms();
        open.row.seen_at = at;
        open.row.outcome = outcome;
        let added = Added {
            in_bytes: since(traffic.received_bytes, open.written.received_bytes),
            out_bytes: since(traffic.sent_bytes, open.written.sent_bytes),
            busy_ms: u64::try_from(now.saturating_sub(open.written_to)).unwrap_or(0),
            sessions: u64::from(!open.counted && !open.row.stripe),
        };
        let written = open.vault.activity(&open.account, |activity| {
            // The row may be written twice, the sums may not: they come last.
            activity.put_session(&open.row)?;
            activity.add_traffic(open.account.number, at, &added)
        });
        if written.is_ok() {
            (open.written, open.written_to, open.counted) = (traffic, now, true);
        }
    }
}

impl Open {
    fn is_moving(&self, now: Millis) -> bool {
        now < self.moved.saturating_add(MOVING_MS)
    }

    /// Reads the timetables of the account and its groups. What cannot be read leaves those in force that were.
    fn read_limits(&mut self) {
        let Ok(account) = self.vault.reload(&self.account) else { return };
        let Ok(groups) = self.vault.groups_of(&account) else { return };
        let own = [(Common::Account(account.number), account.terms.rate)];
        let of_groups = groups.into_iter().map(|group| (Common::Group(group.number), group.terms.rate));
        let all = own.into_iter().chain(of_groups);
        // One that was made by a newer program says nothing to this one.
        self.limits = all.filter_map(|(of, text)| Some((of, Timetable::parse(&text?).ok()?))).collect();
    }

    /// The lowest of all limits, each divided by those who share it now. Whoever moves bytes takes its part.
    fn rates(&mut self, now_ms: Millis, zone: &TimeZone, moving: bool) -> Rates {
        let mut rates = Rates::default();
        let mut parts = std::mem::take(&mut self.parts);
        for (of, timetable) in &self.limits {
            let whole = timetable.rates_at(now_ms, zone);
            if whole == Rates::default() {
                continue;
            }
            let part = parts.iter().position(|part| part.of() == *of).map(|at| parts.swap_remove(at));
            let part = if moving { part.or_else(|| self.vault.live(*of).ok()) } else { None };
            let others = self.vault.count_live(*of, part.as_ref()).unwrap_or(0);
            self.parts.extend(part);
            rates = rates.lower(whole.divided(others.saturating_add(1)));
        }
        rates
    }
}

fn total(traffic: Traffic) -> u64 {
    traffic.sent_bytes.saturating_add(traffic.received_bytes)
}

#[cfg(test)]
mod tests {
    use store::activity::{Activity, Grain};
    use store::door::{ConstantChance, FixedClock, RealDisk};
    use store::vault::Terms;

    use super::*;

    /// 2026-11-20T09:00:00Z, a Friday.
    const NOW: Millis = 1_795_165_200_000;

    struct World {
        folder: tempfile::TempDir,
        clock: Arc<FixedClock>,
        chance: Arc<ConstantChance>,
        vault: Vault,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (clock, chance) = (Arc::new(FixedClock::at(NOW)), Arc::new(ConstantChance::new(3)));
            let path = folder.path().join("vault");
            let vault = Vault::create(Arc::new(RealDisk), clock.clone(), chance.clone(), &path).unwrap();
            Self { folder, clock, chance, vault }
        }

        fn account(&self, name: &str, rate: Option<&str>) -> AccountInfo {
            let account = self.vault.create_account(name).unwrap();
            self.settle(&account, rate)
        }

        fn settle(&self, account: &AccountInfo, rate: Option<&str>) -> AccountInfo {
            let set = |terms: &mut Terms| terms.rate = rate.map(str::to_owned);
            self.vault.settle(account, set).unwrap()
        }

        fn group(&self, name: &str, rate: &str, members: &[AccountInfo]) {
            let group = self.vault.create_group(name).unwrap();
            let group = self.vault.join_group(&group, members).unwrap();
            self.vault.settle_group(&group, |terms| terms.rate = Some(rate.to_owned())).unwrap();
        }

        fn keeper(&self) -> Keeper {
            Keeper::new(self.clock.clone(), self.chance.clone(), TimeZone::UTC, "backup")
        }

        /// A connection with this account.
        fn open(&self, account: &AccountInfo) -> Keeper {
            let keeper = self.keeper();
            keeper.opened(&self.vault, account, "tuckbox test");
            keeper
        }

        fn ask<T>(&self, account: &AccountInfo, ask: impl Fn(&Activity) -> store::Result<T>) -> T {
            self.vault.activity(account, ask).unwrap()
        }

        /// Time passes; each of these has moved bytes.
        fn pass(&self, ms: Millis, keepers: &[&Keeper], bytes: usize) {
            self.clock.advance(ms);
            for keeper in keepers {
                keeper.meter.count_for_tests(bytes, bytes);
                keeper.turn();
            }
        }
    }

    fn both(rate: u64) -> Rates {
        Rates { up: Some(rate), down: Some(rate) }
    }

    #[test]
    fn bytes_are_written_at_intervals_and_at_the_end() {
        let world = World::new();
        let account = world.account("ana", None);
        let keeper = world.keeper();
        keeper.meter.count_for_tests(100, 10);
        world.clock.advance(2_000);
        keeper.opened(&world.vault, &account, "tuckbox test");
        world.pass(5_000, &[&keeper], 5_000);
        assert!(world.ask(&account, |activity| activity.sessions(account.number, 0, 9)).is_empty());
        world.pass(5_000, &[&keeper], 5_000);
        let seen = |at: usize| world.ask(&account, |activity| activity.sessions(account.number, 0, 9))[at].clone();
        let first = seen(0);
        assert_eq!((first.in_bytes, first.out_bytes, first.outcome), (10_010, 10_100, Outcome::Open));
        assert_eq!((first.began_at, first.seen_at), (NOW, NOW + 12_000));
        // Nothing is written for nothing.
        world.pass(60_000, &[&keeper], 0);
        assert_eq!(seen(0), first);
        keeper.meter.count_for_tests(0, 7);
        world.clock.advance(1_000);
        keeper.end(true);
        let last = seen(0);
        assert_eq!((last.in_bytes, last.out_bytes, last.outcome), (10_017, 10_100, Outcome::Ended));
        let hours = world.ask(&account, |activity| activity.traffic(account.number, Grain::Hour, 0, Millis::MAX));
        let sum = Added { in_bytes: 10_017, out_bytes: 10_100, busy_ms: 73_000, sessions: 1 };
        assert_eq!(hours.iter().map(|hour| hour.moved).collect::<Vec<_>>(), [sum]);
    }

    #[test]
    fn bytes_belong_to_the_account_that_was_open() {
        let world = World::new();
        let (ana, bob) = (world.account("ana", None), world.account("bob", None));
        let keeper = world.open(&ana);
        keeper.meter.count_for_tests(1, 2);
        keeper.opened(&world.vault, &ana, "again");
        keeper.opened(&world.vault, &bob, "tuckbox test");
        keeper.meter.count_for_tests(10, 20);
        keeper.is_stripe();
        keeper.end(false);
        for (account, bytes, outcome, stripe) in
            [(&ana, (2, 1), Outcome::Ended, false), (&bob, (20, 10), Outcome::Lost, true)]
        {
            let rows = world.ask(account, |activity| activity.sessions(account.number, 0, 9));
            let row = (rows[0].in_bytes, rows[0].out_bytes);
            assert_eq!((rows.len(), row, rows[0].outcome, rows[0].stripe), (1, bytes, outcome, stripe));
        }
        let days = world.ask(&bob, |activity| activity.traffic(bob.number, Grain::Day, 0, Millis::MAX));
        assert_eq!((days[0].moved.in_bytes, days[0].moved.sessions), (20, 0));
    }

    #[test]
    fn a_database_that_cannot_be_written_ends_nothing_and_loses_nothing() {
        let world = World::new();
        let account = world.account("ana", None);
        let keeper = world.open(&account);
        let domain = world.folder.path().join("vault/domains").join(account.domain.hex());
        // A folder in its place cannot be opened, nor put aside over another.
        std::fs::create_dir_all(domain.join("activity.db/x")).unwrap();
        std::fs::create_dir_all(domain.join("activity.db.damaged/x")).unwrap();
        world.pass(20_000, &[&keeper], 5_000);
        std::fs::remove_dir_all(domain.join("activity.db")).unwrap();
        std::fs::remove_dir_all(domain.join("activity.db.damaged")).unwrap();
        keeper.end(true);
        let days = world.ask(&account, |activity| activity.traffic(account.number, Grain::Day, 0, Millis::MAX));
        assert_eq!(days[0].moved.in_bytes, 5_000);
    }

    #[test]
    fn the_lowest_of_account_and_groups_counts_each_way() {
        let world = World::new();
        let ana = world.account("ana", Some("up = 100k; down = 900k"));
        assert_eq!(world.open(&ana).client_rates(), Rates { up: Some(100 << 10), down: Some(900 << 10) });
        world.group("office", "limit = 500k", std::slice::from_ref(&ana));
        let keeper = world.open(&ana);
        assert_eq!(keeper.client_rates(), Rates { up: Some(100 << 10), down: Some(500 << 10) });
        assert_eq!(keeper.rates(), Rates { up: Some(500 << 10), down: Some(100 << 10) });
        assert_eq!(world.open(&world.account("bob", None)).client_rates(), Rates::default());
    }

    #[test]
    fn a_timetable_turns_at_its_hour_and_a_change_is_taken_up() {
        let world = World::new();
        let ana = world.account("ana", Some("limit = 200k; 10:00-11:00 = 50k"));
        let keeper = world.open(&ana);
        assert_eq!(keeper.client_rates(), both(200 << 10));
        world.pass(3_600_000 - 1, &[&keeper], 5_000);
        assert_eq!(keeper.client_rates(), both(200 << 10));
        world.pass(1, &[&keeper], 5_000);
        assert_eq!(keeper.client_rates(), both(50 << 10));
        world.settle(&ana, Some("1M"));
        world.pass(9_000, &[&keeper], 5_000);
        assert_eq!(keeper.client_rates(), both(50 << 10));
        world.pass(1_000, &[&keeper], 5_000);
        assert_eq!(keeper.client_rates(), both(1 << 20));
        world.settle(&ana, None);
        world.pass(10_000, &[&keeper], 5_000);
        assert_eq!(keeper.client_rates(), Rates::default());
    }

    #[test]
    fn connections_that_move_bytes_share_a_rate() {
        let world = World::new();
        let ana = world.account("ana", Some("800k"));
        let bob = world.account("bob", None);
        world.group("office", "300k", &[ana.clone(), bob.clone()]);
        let one = world.open(&ana);
        assert_eq!(one.client_rates(), both(300 << 10));
        let two = world.open(&ana);
        let three = world.open(&bob);
        world.pass(1_000, &[&one, &two, &three], 5_000);
        // Three share the group's rate, which is lower than half of the account's.
        for keeper in [&one, &two, &three] {
            assert_eq!(keeper.client_rates(), both(100 << 10));
        }
        // One is still for a while: then it has no part, and its own rate is what it would get.
        for _ in 0..11 {
            world.pass(1_000, &[&one, &two], 5_000);
            world.pass(0, &[&three], 100);
        }
        world.pass(1_000, &[&one, &two], 5_000);
        assert_eq!((one.client_rates(), two.client_rates()), (both(150 << 10), both(150 << 10)));
        assert_eq!(three.client_rates(), both(100 << 10));
        two.end(true);
        drop(two);
        world.pass(1_000, &[&one], 5_000);
        assert_eq!(one.client_rates(), both(300 << 10));
        // However many there are, each has something.
        assert_eq!(both(8 << 10).divided(1_000), both(1 << 10));
    }
}
