// Writes `sw.js` beside the page: a service worker that knows every file of this build, and keeps them for a visit
// without a network, the recorded trace included. Its own text changes with the files, so a browser that has an older
// one fetches the new ones.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', 'dist');
/** Another form of a file that is there, for hosts that send it. */
const isPacked = (name) => /\.(br|gz)$/.test(name) && existsSync(join(folder, name.replace(/\.\w+$/, '')));
const files = readdirSync(folder, { recursive: true })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => statSync(join(folder, name)).isFile() && !isPacked(name) && !/^sw\.js$|^engines\//.test(name))
  .sort();
const hash = createHash('sha256');
for (const name of files) hash.update(name).update(readFileSync(join(folder, name)));
const edition = hash.digest('hex').slice(0, 16);
const list = files.filter((name) => name !== 'index.html').map((name) => `./${name}`);

writeFileSync(
  join(folder, 'sw.js'),
  `// Keeps the page's files for visits without a network. Written by tools/offline.mjs.
const EDITION = 'vitrine ${edition} ' + registration.scope;
const FILES = ${JSON.stringify(['./', ...list])};

addEventListener('install', (event) => {
  event.waitUntil(caches.open(EDITION).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));
});

addEventListener('activate', (event) => {
  // Those of this folder only: another Vitrine may be served by the same host.
  const old = (name) => name.startsWith('vitrine ') && name.endsWith(' ' + registration.scope) && name !== EDITION;
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

addEventListener('fetch', (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== 'GET' || !address.href.startsWith(registration.scope)) return;
  const inside = address.pathname.slice(new URL(registration.scope).pathname.length);
  if (inside === '' || inside === 'index.html') {
    // The page itself comes from the network where there is one: it names the files of its own build.
    event.respondWith(fetch(request).catch(() => caches.open(EDITION).then((cache) => cache.match('./'))));
  } else if (FILES.includes('./' + inside)) {
    const kept = caches.open(EDITION).then((cache) => cache.match('./' + inside));
    event.respondWith(kept.then((kept) => kept ?? fetch(request)));
  }
});
`,
);
console.log(`offline: ${files.length} files, edition ${edition}`);
