// Synthesizes the plain CloudFormation template in a CDK app, as docs/deploy-without-sam.md shows it:
//
//     node synthesize.js voicehook.template.json voicehook-function.zip
//
// once as it is, where the CDK must give back each part of it unchanged, and once with parameters that the app sets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { App, Stack, Validations } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { Asset } from "aws-cdk-lib/aws-s3-assets";

const [templateFile, code] = process.argv.slice(2);
const given = JSON.parse(readFileSync(templateFile, "utf8"));

// As in a new project, where what breaks CloudFormation's rules is an error.
const context = { "@aws-cdk/core:validateAgainstDefaultRules": true };
const app = new App({ analyticsReporting: false, context });
// The CDK's linter does not see that a condition guards what it warns of.
const acknowledged = {
  W1001: "The outputs name the API and the secret only where the same condition makes them",
  W1030: "A parameter that is empty by default is used only where it is set",
  W2509: "AppIdSecretArn is the ARN of a secret, and not its value",
  W8003: "A parameter that the app sets makes a condition constant",
};
const rules = Object.entries(acknowledged).map(([id, reason]) => ({ id: `CloudFormation-Validate::${id}`, reason }));
Validations.of(app).acknowledge(...rules);

const asItIs = new Stack(app, "as-it-is");
new CfnInclude(asItIs, "Voicehook", { templateFile });

const withParameters = new Stack(app, "with-parameters");
const asset = new Asset(withParameters, "Code", { path: code });
const voicehook = new CfnInclude(withParameters, "Voicehook", {
  templateFile,
  parameters: {
    CodeS3Bucket: asset.s3BucketName,
    CodeS3Key: asset.s3ObjectKey,
    AppIdSecretArn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:enablex-AbCdEf",
    QueueType: "standard",
  },
});
assert.equal(voicehook.getResource("EventQueue").cfnResourceType, "AWS::SQS::Queue");

const synthesized = app.synth();
const unchanged = synthesized.getStackByName("as-it-is").template;
for (const section of ["Parameters", "Rules", "Conditions", "Resources", "Outputs"]) {
  for (const [name, part] of Object.entries(given[section])) {
    assert.deepEqual(unchanged[section][name], part, `${section}.${name}`);
  }
}
const changed = synthesized.getStackByName("with-parameters").template;
for (const name of Object.keys(given.Resources)) {
  assert.ok(changed.Resources[name], `${name} is missing`);
}
const { S3Bucket, S3Key } = changed.Resources.WebhookFunction.Properties.Code;
assert.ok(JSON.stringify(S3Bucket).includes("cdk-"), JSON.stringify(S3Bucket));
assert.match(JSON.stringify(S3Key), /[0-9a-f]{64}\.zip/);
assert.equal(changed.Parameters.QueueType, undefined);
console.log(`${Object.keys(given.Resources).length} resources synthesized by CfnInclude, unchanged`);
