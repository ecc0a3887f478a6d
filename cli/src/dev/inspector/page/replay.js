// Sends a webhook to the receiver again.

import { announce } from './announce.js';
import { post } from './server.js';

export const replay = async (id) => {
  const { id: again } = await post(`webhooks/${id}/replay`);
  announce(`Replayed as webhook ${again}`);
};
