# One function behind a WebSocket API, with the layer.

terraform {
  required_version = ">= 1.5"
  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = ">= 2.4"
    }
    aws = {
      source = "hashicorp/aws"
      # The first that was tried with python3.14: https://github.com/hashicorp/terraform-provider-aws/issues/44984
      version = ">= 6.20"
    }
  }
}

locals {
  layer = "${path.module}/dist/shared-layer-0.2.0.zip"
}

resource "aws_lambda_layer_version" "shared_utils" {
  layer_name          = "shared-utils"
  filename            = local.layer
  source_code_hash    = filebase64sha256(local.layer)
  compatible_runtimes = ["python3.11", "python3.12", "python3.13", "python3.14"]
  # Without it Terraform deletes the version that it replaces, and there is no way back to it.
  skip_destroy = true
}

data "archive_file" "function" {
  type        = "zip"
  source_dir  = "${path.module}/function"
  output_path = "${path.module}/function.zip"
}

resource "aws_lambda_function" "notes" {
  function_name    = "notes"
  runtime          = "python3.13"
  handler          = "app.handler"
  filename         = data.archive_file.function.output_path
  source_code_hash = data.archive_file.function.output_base64sha256
  layers           = [aws_lambda_layer_version.shared_utils.arn]
  role             = aws_iam_role.notes.arn
  depends_on       = [aws_cloudwatch_log_group.notes]

  environment {
    variables = { METRICS_NAMESPACE = "Notes" }
  }
}

resource "aws_cloudwatch_log_group" "notes" {
  name              = "/aws/lambda/notes"
  retention_in_days = 30
}

resource "aws_iam_role" "notes" {
  name_prefix = "notes-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "notes" {
  role = aws_iam_role.notes.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.notes.arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = "execute-api:ManageConnections"
        Resource = "${aws_apigatewayv2_stage.live.execution_arn}/POST/@connections/*"
      },
    ]
  })
}

resource "aws_apigatewayv2_api" "notes" {
  name                       = "notes"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

resource "aws_apigatewayv2_integration" "notes" {
  api_id           = aws_apigatewayv2_api.notes.id
  integration_type = "AWS_PROXY"
  integration_uri  = aws_lambda_function.notes.invoke_arn
}

resource "aws_apigatewayv2_route" "notes" {
  # What no other route takes goes to $default: the function answers it with an error.
  for_each  = toset(["addNote", "$default"])
  api_id    = aws_apigatewayv2_api.notes.id
  route_key = each.value
  target    = "integrations/${aws_apigatewayv2_integration.notes.id}"
}

resource "aws_apigatewayv2_stage" "live" {
  api_id      = aws_apigatewayv2_api.notes.id
  name        = "live"
  auto_deploy = true
}

resource "aws_lambda_permission" "api" {
  function_name = aws_lambda_function.notes.function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.notes.execution_arn}/*"
}

output "url" {
  value = aws_apigatewayv2_stage.live.invoke_url
}
