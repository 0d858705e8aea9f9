/** Requests with invalid headers, or with an invalid text as body. */
import type { Random } from './random.ts';
import type { Asked } from './request.ts';

/** Sometimes changes the headers and the body's text. */
export function spoiled(random: Random, request: Asked): Asked {
  let { body, headers } = request;
  if (random.chance(0.05)) {
    headers = {
      ...headers,
      'if-match': random.pick([
        `revision_number=${random.below(4)}`,
        `"revision_number=${random.below(4)}"`,
        'revision_number=x',
        '*',
        '',
        'revision_number=1, revision_number=2',
        `revision_number=${'9'.repeat(30)}`,
      ]),
    };
  }
  if (random.chance(0.01))
    headers = {
      ...headers,
      'content-type': random.pick(['text/plain', 'x', 'application/xml', 'application/json; charset=latin1']),
    };
  if (body !== undefined && random.chance(0.02)) body = torn(random, body);
  return { ...request, headers, body };
}

function torn(random: Random, body: string): string {
  const at = random.below(body.length + 1);
  return random.pick([
    body.slice(0, at),
    `${body.slice(0, at)}${random.text(1, '{}[],:"\\\u0000')}${body.slice(at)}`,
    `${body}${body}`,
    body.replace(/"[^"]*"(?=[,}\]])/, () => `${'['.repeat(3000)}${']'.repeat(3000)}`),
    body.replace(/:"[^"]*"/, () => `:${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`),
    body.replace('{', '{"__proto__":{"admin":true},"constructor":{"prototype":{}},'),
    body.replace(/:("[^"]*"|\d+)/, ':1e999'),
    `\ufeff${body}`,
    '',
    'null',
    '[]',
    '0',
  ]);
}
