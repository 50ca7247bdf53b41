// <vitrine-playground src="https://example.org/ui/" seed="42"></vitrine-playground>
//
// The playground inside another page: a frame of its own, that needs no special headers. `src` is where the playground
// lies, the folder of this script unless it says otherwise; `run` a link's part from its `#v1:` on, `lesson` the name of
// a lesson, `seed` the seed of a plain cluster. The height is that of the element.
const HERE = new URL('.', import.meta.url).href;

class VitrinePlayground extends HTMLElement {
  static observedAttributes = ['src', 'run', 'lesson', 'seed'];

  connectedCallback() {
    if (!this.shadowRoot) {
      const root = this.attachShadow({ mode: 'open' });
      const style = document.createElement('style');
      style.textContent = ':host { display: block; height: 620px } iframe { width: 100%; height: 100%; border: 0 }';
      this.frame = document.createElement('iframe');
      this.frame.title = 'Vitrine playground';
      this.frame.loading = 'lazy';
      this.frame.allow = 'clipboard-write';
      root.append(style, this.frame);
    }
    this.show();
  }

  attributeChangedCallback() {
    if (this.frame) this.show();
  }

  show() {
    const address = new URL(this.getAttribute('src') ?? HERE, document.baseURI);
    address.searchParams.set('embed', '');
    const seed = this.getAttribute('seed');
    const run = this.getAttribute('run');
    if (seed !== null) address.searchParams.set('seed', seed);
    const lesson = this.getAttribute('lesson');
    if (run !== null) address.hash = run;
    else if (lesson !== null) address.hash = `lesson=${lesson}`;
    if (this.frame.src !== address.href) this.frame.src = address.href;
  }
}

if (!customElements.get('vitrine-playground')) customElements.define('vitrine-playground', VitrinePlayground);
