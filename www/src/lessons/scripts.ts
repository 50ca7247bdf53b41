// The scripts of the lessons, as the tests of the engine run them.

const FOUND = import.meta.glob<string>('../../../tests/lessons/*.script', {
  query: '?raw',
  import: 'default',
  eager: true,
});

export function scriptOf(lesson: string): string {
  return FOUND[`../../../tests/lessons/${lesson}.script`] ?? '';
}
