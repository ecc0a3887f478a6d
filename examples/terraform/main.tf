# voicehook from the two files of a release, in Terraform or OpenTofu. Put them beside this file:
# voicehook.template.json and voicehook-function-arm64.zip.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "app_id_secret_arn" {
  description = "ARN of the Secrets Manager secret with the AppID. It is made outside, so that no state file holds it."
  type        = string
}

locals {
  code = "${path.module}/voicehook-function-arm64.zip"
}

resource "aws_s3_bucket" "code" {
  bucket_prefix = "voicehook-code-"
}

# The key has the checksum of the code: the function changes when the key does.
resource "aws_s3_object" "code" {
  bucket = aws_s3_bucket.code.id
  key    = "voicehook-function-${filesha256(local.code)}.zip"
  source = local.code

  # The old code stays until the stack has the new one, so that CloudFormation can roll back.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "voicehook" {
  name          = "voicehook"
  template_body = file("${path.module}/voicehook.template.json")
  capabilities  = ["CAPABILITY_IAM"]

  parameters = {
    CodeS3Bucket   = aws_s3_bucket.code.id
    CodeS3Key      = aws_s3_object.code.key
    AppIdSecretArn = var.app_id_secret_arn
    Architecture   = "arm64"
    QueueType      = "fifo"
  }
}

output "webhook_url" {
  description = "The webhook URL to enter in the EnableX portal, with /default/ and the token of the secret behind it"
  value       = aws_cloudformation_stack.voicehook.outputs["WebhookUrl"]
}

output "queue_arn" {
  description = "The queue with the voice events"
  value       = aws_cloudformation_stack.voicehook.outputs["QueueArn"]
}
