import { useSignal } from '@preact/signals';
import { useSession } from '../state/context.ts';

const EXAMPLES = [
  'c1 set greeting hello ttl=200ms',
  'c1 get greeting',
  'c1@n2 get greeting',
  'c1 incr visits',
  'c1 touch visits ttl=5s',
  'cut n1 n2',
  'heal',
  'join',
];

/** One line of a script, as a person types it. */
export function CommandPanel() {
  const session = useSession();
  const text = useSignal('');
  const history = useSignal<readonly string[]>([]);
  const place = useSignal(0);
  const send = (event: Event) => {
    event.preventDefault();
    const line = text.value.trim();
    if (line === '') return;
    session.command(line);
    // What a person asks about is what they want to see.
    const key = /^c\d+(?:@n\d+)?\s+(?:set|get|del|incr|touch)\s+(\S+)/i.exec(line)?.[1];
    if (key) session.select(key);
    history.value = [...history.value.filter((l) => l !== line), line].slice(-50);
    place.value = history.value.length;
    text.value = '';
  };
  const recall = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
    if (by === 0) return;
    event.preventDefault();
    place.value = Math.max(0, Math.min(history.value.length, place.value + by));
    text.value = history.value[place.value] ?? '';
  };
  return (
    <section class="panel" aria-labelledby="command-title">
      <h2 id="command-title">Say something to it</h2>
      <form class="command" onSubmit={send}>
        <input
          type="text"
          aria-label="Command"
          aria-describedby="problem"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="c1 set greeting hello"
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
          onKeyDown={recall}
        />
        <button type="submit">Run</button>
      </form>
      <p id="problem" class="problem" role="alert" hidden={session.problem.value === null}>
        {session.problem.value}
      </p>
      <ul class="examples" aria-label="Examples">
        {EXAMPLES.map((example) => (
          <li key={example}>
            <button
              type="button"
              onClick={() => {
                text.value = example;
              }}
            >
              {example}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
