//! How long the questions take that a compiler asks thousands of times per model.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use sym::{Expr, Facts, Range, parse, simplify, to_cpp};

fn loop_facts() -> Facts {
    let mut facts = Facts::new();
    facts.set_range("s0", Range { lo: 2, hi: 1 << 20 });
    facts.set_range("i0", Range::at_least(0));
    facts.set_range("i1", Range::at_least(0));
    facts.set_range("k", Range { lo: 0, hi: 55 });
    facts.assume_ge0(&parse("s0 - 1 - i1").unwrap_or_default());
    facts
}

fn sizes(criterion: &mut Criterion) {
    let facts = loop_facts();
    let texts = [
        "i0*s0 + i1",
        "(56*i0 + k)//56",
        "Mod(64*i0 + k, 64)",
        "(i0*s0 + i1)//s0",
        "Mod(i0*s0 + i1, s0)",
        "Mod((i0*s0 + i1)//7, 9)",
        "(s0 + 7)//8",
        "Max(1, s0) + Min(1, s0)",
        "(i0*s0 + i1)//(2*s0)",
    ];
    for text in texts {
        let expr = parse(text).unwrap_or_default();
        // The facts are new each time, since they keep what was found.
        criterion.bench_function(&format!("simplify {text}"), |it| {
            it.iter_batched_ref(
                loop_facts,
                |facts| simplify(black_box(&expr), facts),
                BatchSize::SmallInput,
            );
        });
        criterion.bench_function(&format!("again    {text}"), |it| {
            it.iter(|| simplify(black_box(&expr), &facts));
        });
    }
    let (i0, i1) = (Expr::sym("i0"), Expr::sym("i1"));
    criterion.bench_function("build (56*i0 + i1)//56", |it| {
        let d = Expr::int(56);
        it.iter(|| (black_box(&i0) * &d + &i1).floor_div(&d));
    });
    let expr = parse("(i0*s0 + i1)//4 + k").unwrap_or_default();
    criterion.bench_function("to_cpp", |it| {
        it.iter(|| to_cpp(black_box(&expr), &facts, &|it| it.to_owned()));
    });
}

criterion_group!(benches, sizes);
criterion_main!(benches);
