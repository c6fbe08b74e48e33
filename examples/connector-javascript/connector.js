// Connector `gitlab_repository`: the contract's six functions. Thin; what is decided is in `plan.js`.
// A `result` that failed is thrown, as the contract's record; a `result` inside a list is { tag, val }.

import { getDocument, head } from 'portcullis:connector/http@0.1.0';
import { description, fileUrl, listing, normalize, refused, rootUrl, treeUrl } from './plan.js';

// A recipe: it names the secret. The gateway alone has its value.
const credential = { tag: 'bearer', val: 'access_token' };
const object = (url) => ({ url, headers: [] });

export const connector = {
  describe: () => JSON.stringify(description),

  normalize(settings) {
    const { normal, wrong } = normalize(parse(settings));
    if (wrong) throw wrong;
    return JSON.stringify(normal);
  },

  setup(settings, principal) {
    const { project_id, ref } = read(settings);
    return [
      {
        title: 'Make a token',
        text: `In project ${project_id}, under Settings, Access tokens: make one for ${principal.platformName}, role Reporter, scope read_api.`,
        documents: [],
      },
      { title: 'Enter the token', text: `Enter it as the connection's access token. It opens ${ref ?? 'the default branch'} and nothing else here.`, documents: [] },
    ];
  },

  locate(settings, sources) {
    const known = read(settings);
    return { credentials: [credential], locations: sources.map((source) => locate(known, source)) };
  },

  check(settings, testLocation) {
    try {
      const known = read(settings);
      // The gateway judges the answer: what is no success comes back as an error with a code and a remedy.
      const answer = head(credential, object(testLocation === undefined ? rootUrl(known) : fileUrl(known, testLocation)));
      return [{ check: 'request', passed: true, code: 'ok', message: `GitLab answered ${answer.status}` }];
    } catch (thrown) {
      const { code, message, remedy } = contracted(thrown);
      return [{ check: 'request', passed: false, code, message, remedy }];
    }
  },

  list(settings, prefix, cursor, limit) {
    const known = read(settings);
    const page = treeUrl(known, prefix, cursor, limit);
    return listing(known, getDocument(credential, object(page.url)), page);
  },
};

function parse(settings) {
  try {
    return JSON.parse(settings);
  } catch {
    return null;
  }
}

function read(settings) {
  const { normal, wrong } = normalize(parse(settings));
  if (wrong) throw refused('invalid', 'invalid_settings', `${wrong[0].pointer}: ${wrong[0].message}`);
  return normal;
}

function locate(settings, source) {
  try {
    return { tag: 'ok', val: { target: { tag: 'http', val: object(fileUrl(settings, source)) }, credential: 0 } };
  } catch (thrown) {
    return { tag: 'err', val: contracted(thrown) };
  }
}

/** The contract's error in what was thrown: by `plan.js` as it is, by the gateway as a payload. Anything else is a bug: let it trap. */
function contracted(thrown) {
  if (thrown instanceof Error && thrown.payload === undefined) throw thrown;
  return thrown.payload ?? thrown;
}
