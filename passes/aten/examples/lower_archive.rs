//! Lowers an archive and prints what comes out: `lower_archive FILE [aten|functional|tensor]`.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, missing_docs)]

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let what = args.get(2).map_or("quiet", String::as_str);
    let bytes = std::fs::read(&args[1]).unwrap();
    let archive = import::read(&bytes).unwrap();
    let imported = import::to_aten(&archive.program);
    let show = |diags: &[diag::Diag], origins: &[import::OriginInfo]| {
        for it in diags.iter().take(40) {
            let at = it.origin.and_then(|it| origins.get(it as usize));
            println!("  {it} {} {}", at.map_or("", |it| &it.node), at.map_or("", |it| &it.code));
            for note in &it.notes {
                println!("      {note}");
            }
        }
    };
    show(&imported.diags, &[]);
    let mut bad = !imported.diags.is_empty();
    for (function, origins) in imported.functions.iter().zip(&imported.origins) {
        let check = |stage: &str, function: &ir::Function| {
            let diags = ir::verify(function);
            if !diags.is_empty() {
                println!("verify after {stage}");
                show(&diags, origins);
            }
            if what == stage {
                println!("{}", ir::print_function(function));
            }
            !diags.is_empty()
        };
        bad |= check("aten", function);
        let functional = match aten_passes::functionalize::run(function) {
            Ok(it) => it,
            Err(it) => {
                show(&it, origins);
                bad = true;
                continue;
            }
        };
        bad |= check("functional", &functional);
        match aten_passes::decompose::run(&functional) {
            Ok(it) => bad |= check("tensor", &it),
            Err(it) => {
                show(&it, origins);
                bad = true;
            }
        }
    }
    println!("{} {}", if bad { "BAD " } else { "GOOD" }, args[1]);
}
