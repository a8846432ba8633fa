"""The graph stage: what names hold in JavaScript and TypeScript, and which calls that resolves."""

from __future__ import annotations

from unit.test_graph import check


def test_values_of_javascript() -> None:
    """JavaScript: assignments, arguments, defaults, containers, returned and called functions."""
    check(
        """
#- main.js
function one() {}
function two() {}
function pass(f) { return f; }
function run(f, g = two) { f(); g(); }
let held = one;
held();
run(one);
pass(two)();
const list = [one];
list[0]();
const table = {};
table["a"] = two;
table["a"]();
const [first, second] = [one, two];
first();
second();
for (const each of list) each();
const bound = one.bind(null);
bound();
two.call(null);
let later;
function assign() { later = two; }
later();
""",
        """
main.js#run -> main.js#one calls held
main.js#run -> main.js#two calls held
main.js -> main.js#held calls file
main.js -> main.js#one calls held
main.js -> main.js#run calls file
main.js -> main.js#pass calls file
main.js -> main.js#two calls held
main.js -> main.js#one calls held
main.js -> main.js#two calls held
main.js -> main.js#one calls held
main.js -> main.js#two calls held
main.js -> main.js#one calls held
main.js#bound -> ? calls external
main.js -> main.js#bound calls file
main.js -> main.js#one calls held
main.js -> main.js#two calls held
main.js -> main.js#later calls file
main.js -> main.js#two calls held
""",
        ("calls", "inherits"),
    )


def test_classes_of_javascript() -> None:
    """JavaScript: fields set in methods, `super`, getters, fluent methods, functions with a prototype."""
    check(
        """
#- shapes.js
export class Pen { stroke() {} }
export class Base {
  constructor(pen) { this.pen = pen; }
  draw() { this.pen.stroke(); return this; }
}
export class Square extends Base {
  constructor() { super(new Pen()); }
  get sharp() { return new Pen(); }
  fill() {}
}
#- old.js
function Shape(n) { this.n = n; }
Shape.prototype.draw = function () { return this.paint(); };
Shape.prototype.paint = function () {};
Shape.of = function (n) { return new Shape(n); };
module.exports = Shape;
#- main.js
import { Square } from "./shapes";
import Shape from "./old";
const s = new Square();
s.draw().fill();
s.sharp.stroke();
Shape.of(1).draw();
new Shape(2).paint();
""",
        """
main.js#s -> shapes.js#Square calls import
main.js -> shapes.js#Base.draw calls typed
main.js -> shapes.js#Square.fill calls typed
main.js -> shapes.js#Pen.stroke calls typed
main.js -> old.js#Shape.of calls member
main.js -> old.js#Shape.draw calls typed
main.js -> old.js#Shape calls import
main.js -> old.js#Shape.paint calls typed
old.js#Shape.draw -> old.js#Shape.paint calls self
old.js#Shape.of -> old.js#Shape calls file
shapes.js#Base.draw -> shapes.js#Pen.stroke calls typed
shapes.js#Square -> shapes.js#Base inherits file
shapes.js#Square.constructor -> shapes.js#Base.constructor calls inherited
shapes.js#Square.constructor -> shapes.js#Pen calls file
shapes.js#Square.sharp -> shapes.js#Pen calls file
""",
        ("calls", "inherits"),
    )


def test_exports_of_javascript() -> None:
    """JavaScript: exported names that differ from those in the file, defaults, objects as modules, CommonJS."""
    check(
        """
#- list.js
function help() {}
class Store { open() {} }
module.exports = { aid: help, Store };
#- one.js
class Base { run() {} }
module.exports = Base;
#- parts.js
const help = () => {};
exports.go = function () { exports.stop(); };
exports.stop = () => {};
exports.aid = help;
#- named.js
function inner() {}
export { inner as outer };
#- all.js
export * from "./named";
export * as named from "./named";
#- tools.js
function three() {}
const tools = { one() { return tools.two(); }, two: () => {}, drei: three, three };
export default tools;
#- made.js
export default function make() { return { spin() {} }; }
#- main.js
import { outer, named } from "./all";
import * as all from "./all";
import kit from "./tools";
import build from "./made";
const { aid, Store } = require("./list");
const list = require("./list");
const Base = require("./one");
const parts = require("./parts");
aid();
list.aid();
new Store().open();
class Sub extends Base { go() { super.run(); } }
new Base().run();
parts.go();
parts.aid();
outer();
named.outer();
all.outer();
kit.one();
kit.drei();
kit.three();
build().spin();
""",
        """
main.js -> list.js#help calls import
main.js -> list.js#help calls import
main.js -> list.js#Store calls import
main.js -> list.js#Store.open calls typed
main.js#Sub -> one.js#Base inherits import
main.js#Sub.go -> one.js#Base.run calls inherited
main.js -> one.js#Base calls import
main.js -> one.js#Base.run calls typed
main.js -> parts.js#go calls import
main.js -> parts.js#help calls import
main.js -> named.js#inner calls reexport
main.js -> named.js#inner calls import
main.js -> named.js#inner calls reexport
main.js -> tools.js#tools.one calls member
main.js -> tools.js#tools.drei calls member
main.js -> tools.js#three calls held
main.js -> tools.js#tools.three calls member
main.js -> tools.js#three calls held
main.js -> made.js#make calls import
main.js -> made.js#make.spin calls typed
parts.js#go -> parts.js#stop calls import
tools.js#tools.one -> tools.js#tools.two calls member
""",
        ("calls", "inherits"),
    )


def test_functions_without_names() -> None:
    """What a function without a name returns, takes and binds is not for the function around it."""
    check(
        """
#- main.js
class A { a() {} }
class B { b() {} a() {} }
function around() {
  [1].map(() => { return new B(); });
  return new A();
}
around().a();
test("one", () => { const x = new A(); x.a(); });
test("two", () => { const x = new B(); x.a(); x.b(); });
const items = [new A()];
items.forEach((item) => item.a());
const made = () => () => new B();
made()().b();
""",
        """
main.js#around -> ? calls unresolved
main.js#around -> main.js#B calls file
main.js#around -> main.js#A calls file
main.js -> main.js#around calls file
main.js -> main.js#A.a calls typed
main.js -> ? calls unresolved
main.js -> main.js#A calls file
main.js -> main.js#A.a calls typed
main.js -> ? calls unresolved
main.js -> main.js#B calls file
main.js -> main.js#B.a calls typed
main.js -> main.js#B.b calls typed
main.js#items -> main.js#A calls file
main.js -> ? calls external
main.js -> main.js#A.a calls typed
main.js#made -> main.js#B calls file
main.js -> main.js#made calls file
main.js -> ? calls unresolved
main.js -> main.js#B.b calls method
""",
        ("calls", "inherits"),
    )


def test_types_of_typescript() -> None:
    """TypeScript: types of variables, fields, parameters and results, interfaces beside values, overloads, `this`."""
    check(
        """
#- schema.ts
export interface Type<T> { parse(data: unknown): T; optional(): Optional<this>; brand(): this }
export interface Text extends Type<string> { min(n: number): this }
export interface Optional<T> extends Type<T> { unwrap(): T }
export interface Maker<T> { init(): T }
export const Text: Maker<Text> = make("text", (inst) => { const helper = () => inst; return helper(); });
export function text(): Text;
export function text(params: string): Text;
export function text(params?: string) { return make(params); }
export { text as string };
#- store.ts
import { Text, string } from "./schema";
import type { Optional } from "./schema";
class Clock { now(): number { return 1 } }
export class Store<T extends Clock> {
  cache: Map<string, Text>;
  constructor(private clock: Clock, public names: Text[]) {}
  all(): Promise<Text[]> { return this.load() }
  private async load() { return this.names }
  tick(clock: T): number { return this.clock.now() + clock.now() }
}
#- main.ts
import * as z from "./schema";
import { Store } from "./store";
z.text().min(1).brand().parse("");
z.string().min(2).optional().unwrap();
z.Text.init();
async function main(store: Store) {
  for (const name of await store.all()) name.parse(name);
  const { names } = store;
  names.forEach((each) => each.min(1));
  store.names[0].brand();
  store.cache.get("a")!.min(1);
  const cast = z.any() as z.Optional;
  cast.unwrap();
}
""",
        """
main.ts -> schema.ts#text calls import
main.ts -> schema.ts#Text.min calls typed
main.ts -> schema.ts#Type.brand calls typed
main.ts -> schema.ts#Type.parse calls typed
main.ts -> schema.ts#text calls import
main.ts -> schema.ts#Text.min calls typed
main.ts -> schema.ts#Type.optional calls typed
main.ts -> schema.ts#Optional.unwrap calls typed
main.ts -> schema.ts#Maker.init calls typed
main.ts#main -> store.ts#Store.all calls typed
main.ts#main -> schema.ts#Type.parse calls typed
main.ts#main -> ? calls external
main.ts#main -> schema.ts#Text.min calls typed
main.ts#main -> schema.ts#Type.brand calls typed
main.ts#main -> ? calls external
main.ts#main -> schema.ts#Text.min calls typed
main.ts#main -> ? calls unresolved
main.ts#main -> schema.ts#Optional.unwrap calls typed
schema.ts#Text -> schema.ts#Type inherits file
schema.ts#Optional -> schema.ts#Type inherits file
schema.ts#Text~2 -> ? calls unresolved
schema.ts#Text~2 -> ? calls unresolved
schema.ts#text~3 -> ? calls unresolved
store.ts#Store.all -> store.ts#Store.load calls self
store.ts#Store.tick -> store.ts#Clock.now calls typed
store.ts#Store.tick -> store.ts#Clock.now calls typed
""",
        ("calls", "inherits"),
    )


def test_components_of_tsx() -> None:
    """TSX: components are called by their tags, and their parameters have types."""
    check(
        """
#- card.tsx
export interface Item { open(): void }
export const Card = ({ item }: { item: Item }) => <b>{item.open()}</b>;
export function Line(props: Props) { return <i onClick={() => props.item.open()} /> }
interface Props { item: Item; items: Item[] }
#- page.tsx
import { Card, Line } from "./card";
import type { Item } from "./card";
export function Page(items: Item[]) {
  return <div>{items.map((item) => <Card item={item} />)}<Line item={items[0]} /></div>;
}
""",
        """
card.tsx#Card -> card.tsx#Item.open calls typed
card.tsx#Line -> card.tsx#Item.open calls typed
page.tsx#Page -> ? calls external
page.tsx#Page -> card.tsx#Card calls import
page.tsx#Page -> card.tsx#Line calls import
""",
        ("calls", "inherits"),
    )
