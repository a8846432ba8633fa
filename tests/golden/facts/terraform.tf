# Everything about parcels.
terraform {
  required_version = ">= 1.5"
}

provider "aws" {
  region = var.region
}

# Where it runs.
variable "region" {
  type    = string
  default = "eu-central-1"
}

locals {
  name  = "acme-${var.region}"
  limit = 100
}

data "aws_ami" "linux" {
  most_recent = true
}

/* Keeps
   parcels. */
resource "aws_instance" "store" {
  ami           = data.aws_ami.linux.id
  count         = local.limit
  tags          = merge({ Name = local.name }, module.labels.tags)
  depends_on    = [aws_s3_bucket.parcels]
}

resource "aws_s3_bucket" "parcels" {
  bucket = "${local.name}-parcels"

  lifecycle_rule {
    enabled = true
  }
}

module "labels" {
  source = "./modules/labels"
  name   = aws_instance.store[0].id
}

output "store_id" {
  value = [for each in aws_instance.store : each.id]
}
