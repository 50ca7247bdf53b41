// Form fields with a label, a bound, and an error that says what is accepted.

import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';

interface NumberProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  readonly onChange: (value: number) => void;
}

/** A whole number. What is out of its bounds is said, and not passed on. */
export function NumberField({ label, value, min, max, unit, onChange }: NumberProps) {
  const id = useId();
  const wrong = useSignal<string | null>(null);
  /** What is being typed: the page draws often, and must not take it away. */
  const typed = useSignal<string | null>(null);
  const read = (event: Event & { currentTarget: HTMLInputElement }) => {
    const text = event.currentTarget.value.trim();
    const number = Number(text);
    const good = /^\d+$/.test(text) && number >= min && number <= max;
    wrong.value = good ? null : `${label} takes a whole number from ${min} to ${max}`;
    if (!good) return;
    typed.value = null;
    onChange(number);
  };
  return (
    <div class="field">
      <label for={id}>
        {label}
        {unit && <span class="unit"> {unit}</span>}
      </label>
      <input
        id={id}
        type="number"
        inputMode="numeric"
        min={min}
        max={max}
        step={1}
        value={typed.value ?? value}
        aria-invalid={wrong.value !== null}
        aria-describedby={`${id}-wrong`}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
        onChange={read}
      />
      <span id={`${id}-wrong`} class="wrong" role="status">
        {wrong.value}
      </span>
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly choices: Readonly<Record<T, string>>;
  readonly onChange: (value: T) => void;
}

export function ChoiceField<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {(Object.keys(choices) as T[]).map((choice) => (
          <option key={choice} value={choice}>
            {choices[choice]}
          </option>
        ))}
      </select>
    </div>
  );
}
