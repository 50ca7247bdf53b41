import { expect, it } from 'vitest';
import { asked } from '../src/share/embed.ts';

it('reads what the address asks for, and takes no seed that is none', () => {
  const cases: [string, boolean, string | null][] = [
    ['', false, null],
    ['?embed', true, null],
    ['?embed=&seed=42', true, '42'],
    ['?seed=007', false, '7'],
    ['?seed=18446744073709551615', false, '18446744073709551615'],
    ['?seed=18446744073709551616', false, null],
    ['?seed=-1', false, null],
    ['?seed=x', false, null],
  ];
  for (const [query, embed, seed] of cases) expect(asked(query), query).toEqual({ embed, seed });
});
