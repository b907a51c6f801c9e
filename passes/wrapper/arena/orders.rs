//! A search over orders: which of two items that live together lies below the other.
//!
//! Nothing is placed before all orders are known; till then each item has the room that the items
//! known to be below and above it leave. At one moment the items that live are jobs of one machine,
//! with their rooms as release and due times, so what a job shop knows applies: bounds on what must
//! come first or last (edge finding, Carlier and Pinson 1989), branching on which job a machine
//! takes first or last, at the moment that leaves the fewest choices for the trouble it has made
//! (Boussemart et al. 2004), and beginning again with what was learnt.

use super::{problem::Problem, search::End};

/// More items than this are left to the other searches: every two of them have an entry.
const MOST_ITEMS: usize = 2048;

/// How much work of this search takes as long as one placement of the others.
const WORK_PER_STEP: u64 = 256;

/// Failures until the search first begins anew; each time a fifth more.
const FIRST_RUN: u64 = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    Open,
    Below,
    Above,
}

/// The side of the arena that something is seen from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Bottom,
    Top,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Bottom => Side::Top,
            Side::Top => Side::Bottom,
        }
    }
}

/// What is known, and how to forget what a choice has brought.
struct State<'a> {
    problem: &'a Problem,
    /// For each side and item the least space between them.
    room: [Vec<i32>; 2],
    /// How the first item of a pair lies to the second.
    relations: Vec<Relation>,
    trail: Vec<Change>,
    /// Items of which others have yet to hear.
    news: Queue,
    /// Crowds to look at again.
    stirred: Queue,
    /// The sets of items that live at one moment, without those that are part of others.
    crowds: Vec<Vec<u32>>,
    /// For each item the crowds that it is in.
    crowds_of: Vec<Vec<u32>>,
    /// How often items and crowds were in the way.
    item_trouble: Vec<f64>,
    crowd_trouble: Vec<f64>,
    work: u64,
    failures: u64,
    /// Scratch of [`State::edges`].
    sorted: Vec<u32>,
    ends: Vec<i32>,
    raised: Vec<(u32, i32)>,
}

enum Change {
    Room(Side, u32, i32),
    Relation(u32, u32),
}

/// A list without repetitions.
#[derive(Default)]
struct Queue {
    list: Vec<u32>,
    has: Vec<bool>,
}

impl Queue {
    fn new(count: usize) -> Queue {
        Queue { list: Vec::new(), has: vec![false; count] }
    }

    fn push(&mut self, it: u32) {
        if !std::mem::replace(&mut self.has[it as usize], true) {
            self.list.push(it);
        }
    }

    fn pop(&mut self) -> Option<u32> {
        let res = self.list.pop()?;
        self.has[res as usize] = false;
        Some(res)
    }

    fn clear(&mut self) {
        while self.pop().is_some() {}
    }
}

/// No way on from here.
struct Stuck;

type Step = std::result::Result<(), Stuck>;

/// The crowds of a problem.
fn crowds(problem: &Problem) -> Vec<Vec<u32>> {
    let mut starts = vec![false; problem.spans + 1];
    let mut ends = vec![false; problem.spans + 1];
    for (from, to) in &problem.span {
        starts[*from as usize] = true;
        ends[*to as usize] = true;
    }
    let mut res = Vec::new();
    let mut has_grown = false;
    for at in 0..problem.spans {
        has_grown |= starts[at];
        // Until something ends the next crowd has all of this one.
        if has_grown && ends[at + 1] {
            let is_there = |i: &u32| {
                let (from, to) = problem.span[*i as usize];
                (from as usize..to as usize).contains(&at)
            };
            res.push((0..problem.size.len() as u32).filter(is_there).collect());
            has_grown = false;
        }
    }
    res.retain(|it: &Vec<u32>| 1 < it.len());
    res
}

impl<'a> State<'a> {
    fn new(problem: &'a Problem) -> State<'a> {
        let count = problem.size.len();
        let crowds = crowds(problem);
        let mut crowds_of = vec![Vec::new(); count];
        for (k, crowd) in crowds.iter().enumerate() {
            crowd.iter().for_each(|i| crowds_of[*i as usize].push(k as u32));
        }
        State {
            problem,
            room: [vec![0; count], vec![0; count]],
            relations: vec![Relation::Open; count * count],
            trail: Vec::new(),
            news: Queue::new(count),
            stirred: Queue::new(crowds.len()),
            item_trouble: vec![1.0; count],
            crowd_trouble: vec![1.0; crowds.len()],
            work: 0,
            failures: 0,
            sorted: Vec::new(),
            ends: Vec::new(),
            raised: Vec::new(),
            crowds,
            crowds_of,
        }
    }

    fn size(&self, i: u32) -> i32 {
        self.problem.size[i as usize]
    }

    fn room(&self, side: Side, i: u32) -> i32 {
        self.room[side as usize][i as usize]
    }

    /// How `i` lies to `k`.
    fn relation(&self, i: u32, k: u32) -> Relation {
        self.relations[i as usize * self.problem.size.len() + k as usize]
    }

    fn relate(&mut self, i: u32, k: u32, relation: Relation) {
        let count = self.problem.size.len();
        self.relations[i as usize * count + k as usize] = relation;
    }

    /// How far it is at least from a side to the other if `i` comes before `k` from there.
    fn through(&self, side: Side, i: u32, k: u32) -> i32 {
        self.room(side, i) + self.size(i) + self.size(k) + self.room(side.other(), k)
    }

    fn stir(&mut self, i: u32) {
        self.news.push(i);
        for k in &self.crowds_of[i as usize] {
            self.stirred.push(*k);
        }
    }

    /// Notes that there is at least so much space between an item and a side.
    fn keep_away(&mut self, side: Side, i: u32, room: i32) -> Step {
        let old = self.room(side, i);
        if room <= old {
            return Ok(());
        }
        self.trail.push(Change::Room(side, i, old));
        self.room[side as usize][i as usize] = room;
        self.stir(i);
        if self.problem.goal < room + self.size(i) + self.room(side.other(), i) {
            self.item_trouble[i as usize] += 1.0;
            return Err(Stuck);
        }
        Ok(())
    }

    /// Puts `i` before `k`, seen from a side.
    fn put_before(&mut self, side: Side, i: u32, k: u32) -> Step {
        let (low, high) = if side == Side::Bottom { (i, k) } else { (k, i) };
        match self.relation(low, high) {
            Relation::Above => return Err(Stuck),
            Relation::Below => (),
            Relation::Open => {
                self.trail.push(Change::Relation(low, high));
                self.relate(low, high, Relation::Below);
                self.relate(high, low, Relation::Above);
            }
        }
        self.keep_away(Side::Bottom, high, self.room(Side::Bottom, low) + self.size(low))?;
        self.keep_away(Side::Top, low, self.room(Side::Top, high) + self.size(high))
    }

    /// Draws all conclusions. After a failure nothing is left to draw.
    fn conclude(&mut self) -> Step {
        let res = self.try_conclude();
        if res.is_err() {
            self.news.clear();
            self.stirred.clear();
            self.failures += 1;
        }
        res
    }

    fn try_conclude(&mut self) -> Step {
        loop {
            while let Some(i) = self.news.pop() {
                self.tell(i)?;
            }
            let Some(crowd) = self.stirred.pop() else { return Ok(()) };
            for side in [Side::Bottom, Side::Top] {
                if self.edges(side, crowd as usize).is_err() {
                    self.blame(crowd as usize);
                    return Err(Stuck);
                }
            }
        }
    }

    fn blame(&mut self, crowd: usize) {
        self.crowd_trouble[crowd] += 1.0;
        let share = 2.0 / self.crowds[crowd].len() as f64;
        self.crowds[crowd].iter().for_each(|i| self.item_trouble[*i as usize] += share);
    }

    /// Tells those beside an item how much room there is for it.
    fn tell(&mut self, i: u32) -> Step {
        let problem = self.problem;
        self.work += problem.beside[i as usize].len() as u64;
        for k in &problem.beside[i as usize] {
            match self.relation(i, *k) {
                Relation::Below => {
                    self.keep_away(Side::Bottom, *k, self.room(Side::Bottom, i) + self.size(i))?;
                }
                Relation::Above => {
                    self.keep_away(Side::Top, *k, self.room(Side::Top, i) + self.size(i))?;
                }
                Relation::Open => {
                    let can = |it: i32| it <= problem.goal;
                    let below = can(self.through(Side::Bottom, i, *k));
                    let above = can(self.through(Side::Bottom, *k, i));
                    match (below, above) {
                        (true, true) => (),
                        (true, false) => self.put_before(Side::Bottom, i, *k)?,
                        (false, true) => self.put_before(Side::Bottom, *k, i)?,
                        (false, false) => {
                            self.item_trouble[i as usize] += 0.5;
                            self.item_trouble[*k as usize] += 0.5;
                            return Err(Stuck);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Edge finding: which items of a crowd must come after some others, seen from a side, and how
    /// much room that takes. For each due height `due`, the items that must end by then.
    fn edges(&mut self, side: Side, crowd: usize) -> Step {
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.clear();
        sorted.extend_from_slice(&self.crowds[crowd]);
        sorted.sort_unstable_by_key(|i| (self.room(side, *i), *i));
        self.work += sorted.len() as u64;
        self.raised.clear();
        let fits = sorted.iter().all(|k| self.edges_by(side, &sorted, *k));
        self.sorted = sorted;
        if !fits {
            return Err(Stuck);
        }
        let raised = std::mem::take(&mut self.raised);
        let res = raised.iter().try_for_each(|(i, room)| self.keep_away(side, *i, *room));
        self.raised = raised;
        res
    }

    /// Looks at the items that must end as early as `last`. False if they do not fit.
    fn edges_by(&mut self, side: Side, sorted: &[u32], last: u32) -> bool {
        let (problem, [bottom, top]) = (self.problem, &self.room);
        let (rooms, others) = if side == Side::Bottom { (bottom, top) } else { (top, bottom) };
        let due = |i: u32| problem.goal - others[i as usize];
        let limit = due(last);
        let (mut sum, mut end) = (0, i32::MIN / 2);
        self.ends.clear();
        self.ends.resize(sorted.len(), end);
        for (at, i) in sorted.iter().enumerate().rev() {
            if due(*i) <= limit {
                sum += problem.size[*i as usize];
                end = end.max(rooms[*i as usize] + sum);
            }
            self.ends[at] = end;
        }
        if limit < end {
            return false;
        }
        let mut before = i32::MIN / 2;
        for (at, i) in sorted.iter().enumerate() {
            let (room, size) = (rooms[*i as usize], problem.size[*i as usize]);
            if due(*i) <= limit {
                before = before.max(room + sum);
                sum -= size;
                continue;
            }
            if limit < room + sum + size && room < self.ends[at] {
                self.raised.push((*i, self.ends[at]));
            }
            if limit < before + size && room < end {
                self.raised.push((*i, end));
            }
        }
        true
    }

    fn forget(&mut self, mark: usize) {
        while mark < self.trail.len() {
            match self.trail.pop() {
                Some(Change::Room(side, i, old)) => self.room[side as usize][i as usize] = old,
                Some(Change::Relation(i, k)) => {
                    self.relate(i, k, Relation::Open);
                    self.relate(k, i, Relation::Open);
                }
                None => (),
            }
        }
    }

    /// The crowd, and the side of it, with the fewest choices for the trouble made; none if nothing
    /// is open.
    fn branch(&mut self) -> Option<Branch> {
        let mut best: Option<((f64, i32), Branch)> = None;
        for (k, crowd) in self.crowds.iter().enumerate() {
            let is_open = |i: &u32| crowd.iter().any(|k| k != i && self.is_open(*i, *k));
            let open: Vec<u32> = crowd.iter().copied().filter(is_open).collect();
            self.work += (crowd.len() * crowd.len() / 16 + open.len()) as u64;
            if open.is_empty() {
                continue;
            }
            let sum: i32 = open.iter().map(|i| self.size(*i)).sum();
            let trouble: f64 = open.iter().map(|i| self.item_trouble[*i as usize]).sum();
            let trouble = self.crowd_trouble[k] + trouble / open.len() as f64;
            let least = |side| open.iter().map(|i| self.room(side, *i)).min().unwrap_or(0);
            let slack = self.problem.goal - least(Side::Bottom) - least(Side::Top) - sum;
            for side in [Side::Bottom, Side::Top] {
                let choices = self.choices(side, &open, sum);
                let score = ((choices.len() as f64 - 0.9) / trouble, slack);
                if best.as_ref().is_none_or(|it| score < it.0) {
                    let mark = self.trail.len();
                    let open = open.clone();
                    best = Some((score, Branch { crowd: k, side, choices, open, mark }));
                }
            }
        }
        let (_, mut res) = best?;
        res.choices.sort_by_key(|i| (self.room(res.side, *i), -self.size(*i), *i));
        res.choices.reverse();
        Some(res)
    }

    fn is_open(&self, i: u32, k: u32) -> bool {
        self.relation(i, k) == Relation::Open
    }

    /// Which of the open items of a crowd can come first, seen from a side.
    fn choices(&self, side: Side, open: &[u32], sum: i32) -> Vec<u32> {
        let after = if side == Side::Bottom { Relation::Above } else { Relation::Below };
        let can_be_first = |i: &u32| {
            let others = || open.iter().filter(|k| *k != i);
            let rest = others().map(|k| self.room(side.other(), *k)).min().unwrap_or(0);
            self.room(side, *i) + sum + rest <= self.problem.goal
                && !others().any(|k| self.relation(*i, *k) == after)
        };
        open.iter().copied().filter(can_be_first).collect()
    }

    /// Puts an item before all others that are open.
    fn put_first(&mut self, side: Side, i: u32, open: &[u32]) -> Step {
        let mut others = open.iter().filter(|k| **k != i);
        let res = others.try_for_each(|k| self.put_before(side, i, *k));
        if res.is_err() {
            self.news.clear();
            self.stirred.clear();
            self.failures += 1;
            return res;
        }
        self.conclude()
    }
}

/// A choice of which item comes first.
struct Branch {
    crowd: usize,
    side: Side,
    /// Those that can, the best last.
    choices: Vec<u32>,
    open: Vec<u32>,
    /// How much was known.
    mark: usize,
}

/// The search, which can go on after its steps have run out.
pub(super) struct Orders<'a> {
    state: State<'a>,
    /// The choices made.
    branches: Vec<Branch>,
    /// How many failures a beginning may bring.
    patience: u64,
    /// After how many failures the search begins anew.
    limit: u64,
    has_begun: bool,
    /// How much is known before any choice.
    root: usize,
}

impl<'a> Orders<'a> {
    /// None for problems that are too large.
    pub(super) fn new(problem: &'a Problem) -> Option<Orders<'a>> {
        let fits = problem.size.len() <= MOST_ITEMS;
        let state = fits.then(|| State::new(problem))?;
        let branches = Vec::new();
        let (patience, limit) = (FIRST_RUN, FIRST_RUN);
        Some(Orders { state, branches, patience, limit, has_begun: false, root: 0 })
    }

    /// Offsets, once all orders are known.
    pub(super) fn offsets(&self) -> Vec<i32> {
        self.state.room[Side::Bottom as usize].clone()
    }

    /// Searches on for about so many steps; gives those it took.
    pub(super) fn run(&mut self, steps: u64) -> (End, u64) {
        let start = self.state.work;
        let limit = start.saturating_add(steps.saturating_mul(WORK_PER_STEP));
        if !self.has_begun && self.begin().is_err() {
            return (End::Impossible, 1);
        }
        let mut end = End::OutOfSteps;
        while end == End::OutOfSteps && self.state.work < limit {
            end = self.advance();
        }
        let took = (self.state.work - start).div_ceil(WORK_PER_STEP);
        (end, took.clamp(1, steps.max(1)))
    }

    /// What is known before any choice. Of items that are alike the first lies lowest.
    fn begin(&mut self) -> Step {
        self.has_begun = true;
        let problem = self.state.problem;
        (0..problem.size.len() as u32).for_each(|i| self.state.stir(i));
        self.state.conclude()?;
        let kind = |i: u32| (problem.span[i as usize], problem.size[i as usize]);
        for i in 0..problem.size.len() as u32 {
            for k in problem.beside[i as usize].iter().filter(|k| i < **k && kind(i) == kind(**k)) {
                self.state.put_before(Side::Bottom, i, *k)?;
            }
        }
        self.state.conclude()?;
        self.root = self.state.trail.len();
        Ok(())
    }

    /// Makes the next choice, and others in place of those that it shows to be wrong.
    fn advance(&mut self) -> End {
        let state = &mut self.state;
        let Some(branch) = state.branch() else { return End::Placed };
        if branch.choices.is_empty() {
            state.crowd_trouble[branch.crowd] += 1.0;
            state.failures += 1;
        }
        self.branches.push(branch);
        loop {
            if self.limit < state.failures {
                self.patience += self.patience / 5;
                self.limit = state.failures + self.patience;
                self.branches.clear();
                state.forget(self.root);
                return End::OutOfSteps;
            }
            let Some(branch) = self.branches.last_mut() else { return End::Impossible };
            state.forget(branch.mark);
            let Some(i) = branch.choices.pop() else {
                self.branches.pop();
                continue;
            };
            if state.put_first(branch.side, i, &branch.open).is_ok() {
                return End::OutOfSteps;
            }
        }
    }
}
