//! From programs to `aten`: real ones, and ones that were changed to say what no exporter says.

use import::{
    ExportedProgram, Imported,
    schema::{Argument, GraphArgument, NamedArgument, Node, SymExpr, SymInt, TensorArgument},
    to_aten,
};

use crate::support::model;

const VERSIONS: [&str; 4] = ["2.6", "2.8", "2.9", "2.15"];

fn program(name: &str) -> ExportedProgram {
    let bytes = model(name);
    import::read(&bytes).unwrap().program
}

fn tiny() -> ExportedProgram {
    program("tiny_2.15.pt2")
}

fn messages(it: &Imported) -> Vec<String> {
    it.diags.iter().map(ToString::to_string).collect()
}

#[test]
fn programs_of_all_versions_verify_and_print_back() {
    for version in VERSIONS {
        let it = to_aten(&program(&format!("tiny_{version}.pt2")));
        assert_eq!(messages(&it), Vec::<String>::new(), "{version}");
        let [main] = it.functions.as_slice() else { panic!("{version}: more than one function") };
        let wrong: Vec<String> = ir::verify(main).iter().map(ToString::to_string).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{version}");
        let text = ir::print_function(main);
        let read = ir::parse_function("printed", &text, &aten::ops()).unwrap();
        assert_eq!(ir::print_function(&read), text);
        assert!(text.contains("%15 = aten.add_.Tensor %8, %14 {alpha = 1} : i64[]<>"), "{text}");
        assert!(it.in_spec.is_some() && it.out_spec.is_some());
    }
}

#[test]
fn origins_name_the_node_and_the_line_of_the_user() {
    let it = to_aten(&tiny());
    let gelu = it.origins[0].iter().find(|it| it.node == "gelu").unwrap();
    assert!(gelu.file.ends_with("make.py"), "{}", gelu.file);
    assert_eq!(gelu.code, "y = self.head(F.gelu(y)) + torch.tensor([0.5, -0.5]).repeat(8) + bias");
}

#[test]
fn unsupported_operators_are_reported_at_once_each_with_its_count() {
    let mut program = tiny();
    for node in &mut program.graph_module.graph.nodes {
        if node.target.ends_with("linear.default") {
            node.target = "torch.ops.aten.no_such.default".to_owned();
        } else if node.target.ends_with("matmul.default") {
            node.target = "torch.ops.mine.other.default".to_owned();
        }
    }
    let it = to_aten(&program);
    let expected = [
        "error[E0105]: `aten.no_such.default` is not supported; it is used 3 times",
        "error[E0105]: `mine.other.default` is not supported; it is used 2 times",
    ];
    assert_eq!(messages(&it), expected);
    assert!(it.diags[0].notes[0].contains("make.py"), "{:?}", it.diags[0].notes);
}

#[test]
fn names_of_symbols_are_checked() {
    for text in ["Symbol('x_y')", "Symbol('int')", "Foo(1)", "Symbol('s0); system(\"\")')", ""] {
        let mut program = tiny();
        let graph = &mut program.graph_module.graph;
        let size = SymInt::Expr(SymExpr { expr_str: text.to_owned(), hint: None });
        graph.tensor_values.get_mut("gelu").unwrap().sizes[0] = size;
        let it = to_aten(&program);
        assert_eq!(it.diags.len(), 1, "{text}: {:?}", messages(&it));
        assert_eq!(it.diags[0].code.id, "E0104");
    }
}

#[test]
fn what_nothing_defines_is_reported_once() {
    let mut program = tiny();
    let graph = &mut program.graph_module.graph;
    let gelu = graph.nodes.iter_mut().find(|it| it.target.ends_with("gelu.default")).unwrap();
    gelu.inputs[0].arg = Argument::Tensor(TensorArgument { name: "nobody\n".to_owned() });
    let it = to_aten(&program);
    assert_eq!(messages(&it), ["error[E0102]: nothing defines the tensor `nobody\\n`"]);
}

#[test]
fn arguments_that_do_not_fit_are_no_panic() {
    let arguments = [
        Argument::Int(i64::MIN),
        Argument::Ints(vec![1; 9]),
        Argument::Strings(vec!["x".to_owned()]),
        Argument::Bool(true),
        Argument::Float(f64::NAN),
        Argument::Tensors(Vec::new()),
        Argument::None(true),
    ];
    let count = tiny().graph_module.graph.nodes.len();
    for argument in arguments {
        for at in 0..count {
            let mut program = tiny();
            let node = &mut program.graph_module.graph.nodes[at];
            for input in &mut node.inputs {
                input.arg = argument.clone();
            }
            to_aten(&program);
        }
    }
}

#[test]
fn bodies_become_functions_with_names_of_their_own() {
    let mut program = tiny();
    let graph = &mut program.graph_module.graph;
    let inner = Box::new(import::schema::Graph { nodes: Vec::new(), ..graph.clone() });
    let body = |name: &str| NamedArgument {
        name: String::new(),
        arg: Argument::Graph(GraphArgument {
            name: name.to_owned(),
            graph: Box::new(import::schema::Graph { outputs: Vec::new(), ..(*inner).clone() }),
        }),
        kind: None,
    };
    let plain = |arg: Argument| NamedArgument { name: String::new(), arg, kind: None };
    graph.nodes.push(Node {
        target: "torch.ops.higher_order.cond".to_owned(),
        inputs: vec![
            plain(Argument::Bool(true)),
            body("main"),
            body("a b\"}"),
            plain(Argument::Tensors(Vec::new())),
        ],
        outputs: Vec::new(),
        metadata: Default::default(),
        is_hop_single_tensor_return: None,
        name: None,
    });
    let it = to_aten(&program);
    let names: Vec<&str> = it.functions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["main", "main_1", "subgraph"]);
    assert_eq!(it.origins.len(), 3);
    let text = ir::print_module(&it.functions);
    assert_eq!(ir::parse_module("printed", &text, &aten::ops()).unwrap().len(), 3);
}
