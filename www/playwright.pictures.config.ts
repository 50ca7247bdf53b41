import { defineConfig } from '@playwright/test';
import base from './playwright.config.ts';

// The pictures of README and docs, taken anew: a command, and no test.
export default defineConfig({
  ...base,
  testDir: 'pictures',
  outputDir: 'test-results/pictures',
  reporter: [['line']],
  use: { ...base.use, viewport: { width: 1_280, height: 800 }, deviceScaleFactor: 1.5 },
});
