# Takes the place of the CORS rules that the bucket has.
resource "aws_s3_bucket_cors_configuration" "gateway_films" {
  bucket = "films"

  cors_rule {
    allowed_origins = ["*"]
    allowed_methods = ["GET", "HEAD"]
    allowed_headers = ["*"]
    expose_headers  = ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"]
    max_age_seconds = 3600
  }
}
