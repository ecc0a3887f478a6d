// @ts-check
// What the bot does with an event: it answers a call, plays a menu, says what was asked for, and hangs up.
//
// It keeps no state: how often the menu was played is part of its prompt_ref, which comes back in every event of the prompt.
import { CallIsOver } from './enablex.js';

const MENU = 'Press 1 for our opening hours, or 2 for our address.';
/** @type {Record<string, string>} */
const ANSWERS = { 1: 'We are open from nine to five, Monday to Friday.', 2: 'You find us at 1 Main Street.' };
const [NOT_HEARD, GOODBYE] = ['We did not get that. Please call again. Goodbye.', 'Goodbye.'];
const [MENU_REF, LAST_REF, ATTEMPTS] = ['menu-', 'last-words', 3];
const LATEST = 20_000; // milliseconds: nobody waits longer for a prompt

/**
 * Reacts to an event. Returns what it did, for the log.
 * @param {Pick<import('./enablex.js').EnableX, 'accept' | 'play' | 'hangUp'>} enablex
 * @param {{ eventType: string, voiceId: string, receivedAt: string, event: Record<string, any> }} delivery
 * @returns {Promise<string>}
 */
export async function react(enablex, { eventType, voiceId, receivedAt, event }) {
  const ref = String(event.prompt_ref ?? '');
  const attempt = ref.startsWith(MENU_REF) ? Number(ref.slice(MENU_REF.length)) : 0;

  /** @param {string} text */
  const sayLastWords = async (text) => {
    await enablex.play(voiceId, { text, prompt_ref: LAST_REF });
    return 'said the last words';
  };
  /** @param {number} number */
  const playMenu = async (number) => {
    if (number > ATTEMPTS) return sayLastWords(NOT_HEARD);
    await enablex.play(voiceId, { text: MENU, prompt_ref: `${MENU_REF}${number}`, dtmf: true, interrupt: true });
    return `played the menu, attempt ${number}`;
  };

  try {
    if (eventType === 'play.playfinished' && ref === LAST_REF) {
      await enablex.hangUp(voiceId);
      return 'hung up';
    }
    if (Date.now() - Date.parse(receivedAt) > LATEST) return 'nothing: the event is too old';
    if (eventType === 'call.incomingcall') {
      await enablex.accept(voiceId);
      return 'accepted';
    }
    if (eventType === 'call.connected') return await playMenu(1);
    if (attempt && eventType === 'play.menutimeout') return await playMenu(attempt + 1);
    if (attempt && eventType === 'play.digitcollected') {
      const answer = ANSWERS[String(event.digit ?? event.digits)];
      return answer ? await sayLastWords(`${answer} ${GOODBYE}`) : await playMenu(attempt + 1);
    }
    return 'nothing';
  } catch (error) {
    if (error instanceof CallIsOver) return 'nothing: the call is over';
    throw error;
  }
}
