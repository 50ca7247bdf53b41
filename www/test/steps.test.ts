import { describe, expect, it } from 'vitest';
import { LESSONS } from '../src/lessons/all.ts';
import { scriptOf } from '../src/lessons/scripts.ts';
import { steps } from '../src/lessons/steps.ts';

it('cuts a script at its comments, and keeps the numbers of its lines', () => {
  const found = steps(`#> mutant=X
# Two lines
# of words.
#> key=k node=n2
cluster nodes=3
run 1s

# More.
#> part=disk
n1 crash
`);
  expect(found).toEqual([
    {
      say: 'Two lines of words.',
      look: { key: 'k', node: 2 },
      lines: [
        { number: 5, text: 'cluster nodes=3' },
        { number: 6, text: 'run 1s' },
      ],
    },
    { say: 'More.', look: { part: 'disk' }, lines: [{ number: 10, text: 'n1 crash' }] },
  ]);
});

describe.each(LESSONS)('the lesson $name', (lesson) => {
  it('has a script in steps, each with words', () => {
    const found = steps(scriptOf(lesson.name));
    expect(found.length).toBeGreaterThan(2);
    for (const step of found) expect(step.say).not.toBe('');
  });

  it('asks a question with one right answer, and ends in something to do', () => {
    expect(lesson.choices.filter((choice) => choice.right)).toHaveLength(1);
    expect(lesson.choices.length).toBeGreaterThan(2);
    expect(lesson.turn.lines.length).toBeGreaterThan(0);
    expect(lesson.watch.length).toBeGreaterThan(0);
    const named = /^#> mutant=(\w+)/m.exec(scriptOf(lesson.name))?.[1] ?? null;
    expect(lesson.mutant?.name ?? null).toBe(named);
  });
});
