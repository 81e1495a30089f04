/**
 * Matches regular expressions in time linear in the text, whatever the expression: a finite automaton whose
 * deterministic states are made when they are first needed. Read K. Thompson, "Regular Expression Search Algorithm"
 * (1968), and R. Cox, "Regular Expression Matching Can Be Simple And Fast" (2007).
 */
import { UsageError } from '../errors.ts';
import { type Assertion, type CharacterTest, type Expression, isWordCharacter } from './regular-expression.ts';

/** Most states of the nondeterministic automaton: intervals multiply what they repeat. */
const MAX_NODES = 20_000;

/** Nodes and transitions kept in states; when there are more, all states are forgotten and made again. */
const MAX_KEPT = 2_000_000;

const ASCII = 128;

/** A state: it takes a character, checks an assertion, or goes on in both directions without either. */
type Node =
  | { readonly kind: 'character'; readonly test: CharacterTest; next: number }
  | { readonly kind: 'assertion'; readonly assertion: Assertion; next: number }
  | { readonly kind: 'split'; next: number; other: number }
  | { readonly kind: 'end' };

/** What stands before or behind a place. */
type Neighbour = 'edge' | 'word' | 'other';

/** A set of nodes, with what was read last. `next` are the states behind a character; null is a match. */
interface State {
  readonly nodes: readonly number[];
  readonly before: Neighbour;
  readonly ascii: (State | null | undefined)[];
  readonly others: Map<string, State | null>;
}

function holds(assertion: Assertion, before: Neighbour, behind: Neighbour): boolean {
  const boundary = (before === 'word') !== (behind === 'word');
  switch (assertion) {
    case 'line start':
      return before === 'edge';
    case 'line end':
      return behind === 'edge';
    case 'word boundary':
      return boundary;
    case 'no word boundary':
      return !boundary;
    case 'word start':
      return boundary && behind === 'word';
    case 'word end':
      return boundary && before === 'word';
  }
}

/** Finds out whether texts contain what one of some expressions describes. */
export class Matcher {
  private readonly nodes: Node[] = [{ kind: 'end' }];
  private readonly start: number;
  private states = new Map<string, State>();
  private kept = 0;

  /** Throws UsageError when the expressions are too large. `whole`: the text as a whole has to match. */
  constructor(expressions: readonly Expression[], whole = false) {
    const choice: Expression = { kind: 'choice', choices: expressions };
    const edge = (assertion: Assertion): Expression => ({ kind: 'assertion', assertion });
    const parts = whole ? [edge('line start'), choice, edge('line end')] : [choice];
    this.start = this.build({ kind: 'sequence', parts }, 0);
  }

  /** Whether the text, which is one line, contains a match. */
  matches(text: string): boolean {
    let state: State | null | undefined = this.state([this.start], 'edge');
    for (let at = 0; at < text.length; ) {
      const code = text.charCodeAt(at);
      if (code < ASCII) {
        at += 1;
        state = state.ascii[code] ?? this.step(state, text.charAt(at - 1));
      } else {
        const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
        at += character.length;
        const known = state.others.get(character);
        state = known === undefined ? this.step(state, character) : known;
      }
      if (state === null) return true;
    }
    return this.closure(state, 'edge').includes(0);
  }

  private add(node: Node): number {
    if (this.nodes.length >= MAX_NODES) throw new UsageError('the regular expression is too large');
    return this.nodes.push(node) - 1;
  }

  /** Adds the nodes of an expression in front of the node `next`. Answers the first. */
  private build(expression: Expression, next: number): number {
    switch (expression.kind) {
      case 'character':
      case 'assertion':
        return this.add({ ...expression, next });
      case 'sequence':
        return expression.parts.reduceRight((behind, part) => this.build(part, behind), next);
      case 'choice': {
        const firsts = expression.choices.map((choice) => this.build(choice, next));
        return firsts.reduceRight((other, first) => this.add({ kind: 'split', next: first, other }));
      }
      case 'repeat':
        return this.repeat(expression, next);
    }
  }

  private repeat({ part, least, most }: Expression & { kind: 'repeat' }, next: number): number {
    let first = next;
    if (most === null) {
      const loop: Node = { kind: 'split', next, other: next };
      first = this.add(loop);
      loop.other = this.build(part, first);
    } else {
      for (let count = least; count < most; count += 1)
        first = this.add({ kind: 'split', next: this.build(part, first), other: next });
    }
    for (let count = 0; count < least; count += 1) first = this.build(part, first);
    return first;
  }

  private state(nodes: readonly number[], before: Neighbour): State {
    const key = `${before}${nodes.join(',')}`;
    const known = this.states.get(key);
    if (known !== undefined) return known;
    this.kept += nodes.length;
    if (this.kept > MAX_KEPT) {
      this.kept = 0;
      this.states = new Map();
    }
    const made: State = { nodes, before, ascii: [], others: new Map() };
    this.states.set(key, made);
    return made;
  }

  /** The state behind a character, null for a match that ends before it. */
  private step(state: State, character: string): State | null {
    const behind: Neighbour = isWordCharacter(character) ? 'word' : 'other';
    const reached = this.closure(state, behind);
    let next: State | null = null;
    if (!reached.includes(0)) {
      // A match may also begin behind this character.
      const nodes = new Set([this.start]);
      for (const index of reached) {
        const node = this.nodes[index];
        if (node?.kind === 'character' && node.test(character)) nodes.add(node.next);
      }
      next = this.state(
        [...nodes].sort((a, b) => a - b),
        behind,
      );
    }
    this.kept += 1;
    const code = character.charCodeAt(0);
    if (code < ASCII) state.ascii[code] = next;
    else state.others.set(character, next);
    return next;
  }

  /** The nodes that are reached without a character. */
  private closure({ nodes, before }: State, behind: Neighbour): number[] {
    const reached = new Set<number>();
    const todo = [...nodes];
    for (let index = todo.pop(); index !== undefined; index = todo.pop()) {
      if (reached.has(index)) continue;
      reached.add(index);
      const node = this.nodes[index];
      if (node?.kind === 'split') todo.push(node.next, node.other);
      else if (node?.kind === 'assertion' && holds(node.assertion, before, behind)) todo.push(node.next);
    }
    return [...reached];
  }
}
