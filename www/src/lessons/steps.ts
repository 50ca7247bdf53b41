// A script as a person steps through it: what is said, and the lines that follow.

/** What a step asks to look at. */
export interface Look {
  readonly key?: string;
  /** A node's number. */
  readonly node?: number;
  readonly part?: Part;
}

export const PARTS = ['ring', 'links', 'log', 'disk'] as const;
export type Part = (typeof PARTS)[number];

export interface Step {
  readonly say: string;
  readonly look: Look;
  /** The lines that it does, with their numbers in the text, from 1. */
  readonly lines: readonly { readonly number: number; readonly text: string }[];
}

/** A comment begins a step; `#>` says what to look at, and is not read to the person. */
export function steps(script: string): Step[] {
  const found: { say: string; look: Look; lines: { number: number; text: string }[] }[] = [];
  const open = () => {
    const last = found.at(-1);
    if (last && last.lines.length === 0) return last;
    const fresh: (typeof found)[number] = { say: '', look: {}, lines: [] };
    found.push(fresh);
    return fresh;
  };
  script.split('\n').forEach((line, index) => {
    const text = line.trim();
    if (text === '') return;
    if (text.startsWith('#>')) {
      const step = open();
      step.look = { ...step.look, ...look(text.slice(2)) };
    } else if (text.startsWith('#')) {
      const step = open();
      step.say = `${step.say} ${text.slice(1).trim()}`.trim();
    } else {
      const step = found.at(-1) ?? open();
      step.lines.push({ number: index + 1, text });
    }
  });
  return found.filter((step) => step.lines.length > 0);
}

function look(text: string): Look {
  const found: { key?: string; node?: number; part?: Part } = {};
  for (const word of text.trim().split(/\s+/)) {
    const [name, value = ''] = word.split('=');
    if (name === 'key') found.key = value;
    if (name === 'node') found.node = Number(value.slice(1));
    const part = PARTS.find((part) => part === value);
    if (name === 'part' && part) found.part = part;
  }
  return found;
}
