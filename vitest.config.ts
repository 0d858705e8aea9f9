import { defineConfig } from 'vitest/config';

// Tests on a slow machine, such as an emulated one, wait longer: test/lib/wait.ts.
const slowness = Math.max(1, Number(process.env.PORTCULLIS_TEST_SLOW ?? 1) || 1);

/** Tests that only read files of the project. */
const textTests = 'test/docs/text/*.test.ts';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', textTests], testTimeout: 20_000 } },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [textTests],
          testTimeout: 120_000 * slowness,
          hookTimeout: 120_000 * slowness,
          fileParallelism: false,
        },
      },
    ],
  },
});
