// @ts-check
// The part of EnableX's REST API that the bot needs: https://developer.enablex.io/voice/api-reference.html

/** EnableX does not know the call any more: the caller has hung up. Nothing is left to do. */
export class CallIsOver extends Error {}

/** EnableX did not do what it was asked. The event comes again. */
export class ApiError extends Error {}

/**
 * @typedef {object} Prompt
 * @property {string} text what is said
 * @property {string} prompt_ref comes back in every event of this prompt
 * @property {boolean} [dtmf] whether the caller's keys are collected
 * @property {boolean} [interrupt] whether a key ends the prompt
 */

export class EnableX {
  /**
   * @param {{ appId: string, appKey: string, baseUrl?: string, timeout?: number }} options timeout in milliseconds
   */
  constructor({ appId, appKey, baseUrl = 'https://api.enablex.io/voice/v1', timeout = 2000 }) {
    this.baseUrl = baseUrl;
    this.timeout = timeout;
    this.authorization = `Basic ${Buffer.from(`${appId}:${appKey}`).toString('base64')}`;
  }

  /** Answers an incoming call. @param {string} voiceId */
  accept(voiceId) {
    return this.#request('PUT', voiceId, '/accept', {});
  }

  /** Says something to the caller. @param {string} voiceId @param {Prompt} prompt */
  play(voiceId, prompt) {
    return this.#request('PUT', voiceId, '/play', { language: 'en-US', voice: 'female', ...prompt });
  }

  /** Ends a call. @param {string} voiceId */
  hangUp(voiceId) {
    return this.#request('DELETE', voiceId, '');
  }

  /** @param {string} method @param {string} voiceId @param {string} action @param {object} [body] */
  async #request(method, voiceId, action, body) {
    const url = `${this.baseUrl}/call/${encodeURIComponent(voiceId)}${action}`;
    const headers = { authorization: this.authorization, 'content-type': 'application/json' };
    /** @type {Response} */
    let response;
    try {
      response = await fetch(url, {
        method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(this.timeout),
      });
      await response.arrayBuffer(); // frees the connection
    } catch (error) {
      throw new ApiError(`${method} ${action || 'call'}: ${error instanceof Error ? error.name : error}`);
    }
    if (response.status === 404 || response.status === 410) throw new CallIsOver(`${method} ${action || 'call'}: ${response.status}`);
    if (!response.ok) throw new ApiError(`${method} ${action || 'call'}: ${response.status}`);
  }
}
